// Work beside runs: a few threads of the pool take its parts, in order, and miss the runs of that time. Included by pool.c alone.
//
// For passes over memory beside products: one thread alone moves most of what memory gives, and products leave memory idle.

#pragma once

#include "pool_state.h"
#include "pool_waiting.h"

#include <stdlib.h>
#include <string.h>

#define BACKGROUND_CLOSED (1u << 31)

/// One thread of so many leaves the runs.
enum { BACKGROUND_SHARE = 4 };

struct vitrail_background {
    vitrail_pool *pool;
    vitrail_task task;
    void *context;
    int parts;
    vitrail_cpu_level level;                            // the caller's limit of the instruction set
    _Alignas(CACHE_LINE) _Atomic int next;              // part that nobody has taken
    _Alignas(CACHE_LINE) _Atomic int done;              // all parts before it are done, as far as anybody has looked
    _Atomic uint8_t *is_done;                           // [parts]
};

/// Takes the next part, if it is one of the first `parts`.
static bool take_background_part(vitrail_background *work, int parts) {
    int part = atomic_load_explicit(&work->next, memory_order_relaxed);
    do {
        if (part >= parts) return false;
    } while (!atomic_compare_exchange_weak_explicit(
        &work->next, &part, part + 1, memory_order_relaxed, memory_order_relaxed));
    work->task(work->context, part, work->parts);
    atomic_store_explicit(&work->is_done[part], 1, memory_order_release);
    return true;
}

/// Takes parts of the pool's work beside runs until none is left to take, if the thread is one of those that do.
static void work_beside(vitrail_pool *pool, int thread) {
    if (thread < pool->threads - (pool->threads + BACKGROUND_SHARE - 1) / BACKGROUND_SHARE) return;
    uint32_t gate = atomic_load_explicit(&pool->background_gate, memory_order_relaxed);
    do {
        if (gate & BACKGROUND_CLOSED) return;
    } while (!atomic_compare_exchange_weak_explicit(
        &pool->background_gate, &gate, gate + 1, memory_order_acquire, memory_order_relaxed));
    vitrail_background *const work = pool->background;
    vitrail_cpu_limit_thread(work->level);
    while (take_background_part(work, work->parts)) continue;
    atomic_fetch_sub_explicit(&pool->background_gate, 1, memory_order_release);
}

/// Makes the work known to the pool's threads; NULL while there is other such work, or when memory is short.
static vitrail_background *open_background(vitrail_pool *pool, vitrail_task task, void *context, int parts) {
    if (atomic_flag_test_and_set_explicit(&pool->has_background, memory_order_acquire)) return NULL;
    vitrail_background *const work = aligned_alloc(CACHE_LINE, sizeof *work);
    _Atomic uint8_t *const is_done = calloc((size_t)parts, 1);
    if (!work || !is_done) {
        free(work);
        free((void *)is_done);
        atomic_flag_clear_explicit(&pool->has_background, memory_order_release);
        return NULL;
    }
    memset(work, 0, sizeof *work);
    work->pool = pool;
    work->task = task;
    work->context = context;
    work->parts = parts;
    work->level = vitrail_cpu();
    work->is_done = is_done;
    pool->background = work;
    atomic_store_explicit(&pool->background_gate, 0, memory_order_release);
    // Threads that wait for a run look around, and find no run.
    atomic_fetch_add(&pool->run, 1);
    if (atomic_load(&pool->sleepers) > 0) wake_all(&pool->run);
    return work;
}

/// Waits for parts that other threads have taken.
static void await_background(vitrail_background *work, int parts) {
    int done = atomic_load_explicit(&work->done, memory_order_acquire);
    for (int part = done; part < parts; part++) {
        for (int turn = 1; !atomic_load_explicit(&work->is_done[part], memory_order_acquire); turn++) {
            turn % 1024 == 0 ? (void)sched_yield() : relax();
        }
    }
    while (done < parts
           && !atomic_compare_exchange_weak_explicit(
               &work->done, &done, parts, memory_order_release, memory_order_relaxed)) {
    }
}

/// After its last part: nobody is inside any more.
static void close_background(vitrail_background *work) {
    vitrail_pool *const pool = work->pool;
    uint32_t gate = atomic_fetch_or_explicit(&pool->background_gate, BACKGROUND_CLOSED, memory_order_acq_rel);
    for (int turn = 1; (gate & ~BACKGROUND_CLOSED) != 0; turn++) {
        turn % 1024 == 0 ? (void)sched_yield() : relax();
        gate = atomic_load_explicit(&pool->background_gate, memory_order_acquire);
    }
    atomic_flag_clear_explicit(&pool->has_background, memory_order_release);
    free((void *)work->is_done);
    free(work);
}
