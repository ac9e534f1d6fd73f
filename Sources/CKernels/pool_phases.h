// Phases of a run: threads take parts of the current one and meet where it ends. Included by pool.c alone.
//
// A range's word names the phase it belongs to, so that a thread that was away for a while takes nothing of a later phase by mistake,
// and nobody has to write all ranges between two phases: whoever finds an older number takes the range as untouched.
//
//     bounds = phase << 40 | end << 20 | begin

#pragma once

#include "pool_state.h"
#include "pool_waiting.h"

enum { PART_BITS = 20, PHASES_AHEAD = 4 };

/// Parts [first, end) that a thread has taken.
typedef struct {
    int first, end;
} taken_parts;

/// Takes the first half of what is left of a thread's share of a phase, or the last half; nothing when none is left, or the phase is over.
/// Each taking waits for all that the thread reads, so that memory rests: part by part, that was a tenth of a token's time.
static taken_parts take_of_phase(vitrail_pool *pool, int owner, uint32_t phase, bool is_first) {
    const uint64_t mask = (1u << PART_BITS) - 1, parts = (uint64_t)pool->phases[phase].parts;
    _Atomic uint64_t *word = &pool->ranges[owner].bounds;
    uint64_t bounds = atomic_load_explicit(word, memory_order_relaxed);
    for (;;) {
        const uint64_t number = bounds >> 2 * PART_BITS;
        uint64_t begin = bounds & mask, end = bounds >> PART_BITS & mask;
        if (number > phase + 1) return (taken_parts){0, 0};
        if (number <= phase) {
            begin = parts * (uint64_t)owner / (uint64_t)pool->threads;
            end = parts * (uint64_t)(owner + 1) / (uint64_t)pool->threads;
        }
        if (begin >= end) return (taken_parts){0, 0};
        const uint64_t half = (end - begin + 1) / 2;
        const taken_parts taken = is_first ? (taken_parts){(int)begin, (int)(begin + half)} : (taken_parts){(int)(end - half), (int)end};
        if (is_first) begin += half; else end -= half;
        const uint64_t left = (uint64_t)(phase + 1) << 2 * PART_BITS | end << PART_BITS | begin;
        if (atomic_compare_exchange_weak_explicit(word, &bounds, left, memory_order_relaxed, memory_order_relaxed)) {
            return taken;
        }
    }
}

/// What a thread that waits has asked for already.
typedef struct {
    uint32_t phase;
    size_t bytes;
} phase_ahead;

/// Asks for a few lines of the thread's share of the next phases; false when it has asked for all that its cache should take.
static bool look_at_next_phases(const vitrail_pool *pool, phase_ahead *ahead, uint32_t phase, int thread) {
    if (ahead->phase <= phase) *ahead = (phase_ahead){.phase = phase + 1};
    size_t before = 0;
    for (uint32_t i = phase + 1; i < ahead->phase; i++) before += pool->phases[i].bytes / (size_t)pool->threads;
    while (ahead->phase < (uint32_t)pool->parts && ahead->phase <= phase + PHASES_AHEAD) {
        const vitrail_phase *next = &pool->phases[ahead->phase];
        const size_t share = next->bytes / (size_t)pool->threads;
        if (before + ahead->bytes >= AHEAD_BYTES) return false;
        if (ahead->bytes < share) {
            const char *memory = (const char *)next->memory + share * (size_t)thread + ahead->bytes;
            for (int line = 0; line < 4; line++) __builtin_prefetch(memory + line * LINE_BYTES, 0, 2);
            ahead->bytes += 4 * LINE_BYTES;
            return true;
        }
        before += share;
        *ahead = (phase_ahead){.phase = ahead->phase + 1};
    }
    return false;
}

/// Waits until `phase` is over.
static void await_phase(vitrail_pool *pool, uint32_t phase, phase_ahead *ahead, int thread) {
    while (look_at_next_phases(pool, ahead, phase, thread)) {
        if (atomic_load_explicit(&pool->phase, memory_order_acquire) != phase) return;
    }
    if (spin_while(&pool->phase, phase)) return;
    atomic_fetch_add(&pool->phase_sleepers, 1);
    while (atomic_load(&pool->phase) == phase) wait_while(&pool->phase, phase);
    atomic_fetch_sub(&pool->phase_sleepers, 1);
}

static void run_phases(vitrail_pool *pool, int thread) {
    const uint32_t count = (uint32_t)pool->parts;
    phase_ahead ahead = {0};
    for (;;) {
        const uint32_t number = atomic_load_explicit(&pool->phase, memory_order_acquire);
        if (number >= count) return;
        const vitrail_phase *phase = &pool->phases[number];
        int taken = 0;
        for (int i = 0; i < pool->threads; i++) {
            const int owner = (thread + i) % pool->threads;
            for (taken_parts own; (own = take_of_phase(pool, owner, number, i == 0)).end > 0; taken += own.end - own.first) {
                if (taken == 0 && phase->enter) phase->enter(phase->context);
                for (int part = own.first; part < own.end; part++) phase->task(phase->context, part, phase->parts);
            }
        }
        if (taken > 0) {
            const int finished = atomic_fetch_add_explicit(&pool->finished, taken, memory_order_acq_rel) + taken;
            if (finished == phase->parts) {
                // The last part: nobody counts until the next phase is told.
                atomic_store_explicit(&pool->finished, 0, memory_order_relaxed);
                atomic_store(&pool->phase, number + 1);
                if (atomic_load(&pool->phase_sleepers) > 0) wake_all(&pool->phase);
                continue;
            }
        }
        await_phase(pool, number, &ahead, thread);
    }
}

/// Before a run, while no thread is inside.
static void start_phases(vitrail_pool *pool) {
    for (int i = 0; i < pool->threads; i++) atomic_store_explicit(&pool->ranges[i].bounds, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->finished, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->phase, 0, memory_order_relaxed);
}

/// A phase on the calling thread alone.
static void run_phase(void *context, int number, int count) {
    (void)count;
    const vitrail_phase *phase = (const vitrail_phase *)context + number;
    if (phase->enter) phase->enter(phase->context);
    for (int part = 0; part < phase->parts; part++) phase->task(phase->context, part, phase->parts);
}
