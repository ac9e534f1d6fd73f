// The gate of a run: threads join through it while it is open, and the caller waits for those that did. Included by pool.c alone.

#pragma once

#include "pool_state.h"
#include "pool_waiting.h"

#define GATE_CLOSED (1ull << 31)
#define GATE_COUNT (GATE_CLOSED - 1)

/// Lets threads into the job that the pool holds; the run's number.
static uint32_t open_gate(vitrail_pool *pool) {
    const uint32_t number = atomic_load_explicit(&pool->run, memory_order_relaxed) + 1;
    atomic_store_explicit(&pool->gate, (uint64_t)number << 32, memory_order_release);
    atomic_store(&pool->run, number);
    if (atomic_load(&pool->sleepers) > 0) wake_all(&pool->run);
    return number;
}

/// Enters the open run; false when it is over already.
static bool join(vitrail_pool *pool) {
    uint64_t gate = atomic_load_explicit(&pool->gate, memory_order_relaxed);
    do {
        if (gate & GATE_CLOSED) return false;
    } while (!atomic_compare_exchange_weak_explicit(
        &pool->gate, &gate, gate + 1, memory_order_acquire, memory_order_relaxed));
    return true;
}

static void leave(vitrail_pool *pool) {
    const uint64_t gate = atomic_fetch_sub_explicit(&pool->gate, 1, memory_order_acq_rel) - 1;
    if ((gate & GATE_CLOSED) && (gate & GATE_COUNT) == 0) {
        atomic_store(&pool->done, (uint32_t)(gate >> 32));
        if (atomic_load(&pool->caller_sleeps)) wake_all(&pool->done);
    }
}

/// Lets nobody in any more, and waits until all have left.
static void close_gate(vitrail_pool *pool, uint32_t number) {
    const uint64_t gate = atomic_fetch_or_explicit(&pool->gate, GATE_CLOSED, memory_order_acq_rel);
    if ((gate & GATE_COUNT) == 0) return;
    // `done` may lag by several runs: any value but `number` means that threads are still inside.
    for (;;) {
        const uint32_t value = atomic_load(&pool->done);
        if (value == number) return;
        if (spin_while(&pool->done, value)) continue;
        atomic_store(&pool->caller_sleeps, true);
        if (atomic_load(&pool->done) == value) wait_while(&pool->done, value);
        atomic_store(&pool->caller_sleeps, false);
    }
}
