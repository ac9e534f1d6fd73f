// How the threads of a run take its parts, for each division. Included by pool.c alone.

#pragma once

#include "pool_phases.h"
#include "pool_state.h"

static void run_list(vitrail_pool *pool, int list) {
    for (int part = list; part < pool->parts; part += pool->threads) pool->task(pool->context, part, pool->parts);
}

static void run_lists(vitrail_pool *pool, int thread) {
    if (!atomic_exchange_explicit(&pool->claimed[thread], 1, memory_order_relaxed)) run_list(pool, thread);
    if (thread != 0) return;
    // The caller is done with its own parts: it takes those of threads that have not shown up.
    for (int other = 1; other < pool->threads && other < pool->parts; other++) {
        if (!atomic_exchange_explicit(&pool->claimed[other], 1, memory_order_relaxed)) run_list(pool, other);
    }
}

static void run_dynamic(vitrail_pool *pool) {
    for (;;) {
        const int part = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (part >= pool->parts) return;
        pool->task(pool->context, part, pool->parts);
    }
}

/// Takes the first part of a range, or the last; -1 when none is left.
static int take(part_range *range, bool is_first) {
    uint64_t bounds = atomic_load_explicit(&range->bounds, memory_order_relaxed);
    for (;;) {
        const uint32_t begin = (uint32_t)bounds, end = (uint32_t)(bounds >> 32);
        if (begin >= end) return -1;
        const uint64_t left = is_first ? bounds + 1 : bounds - (1ull << 32);
        if (atomic_compare_exchange_weak_explicit(
                &range->bounds, &bounds, left, memory_order_relaxed, memory_order_relaxed)) {
            return (int)(is_first ? begin : end - 1);
        }
    }
}

static void run_ranges(vitrail_pool *pool, int thread) {
    for (int i = 0; i < pool->threads; i++) {
        part_range *range = &pool->ranges[(thread + i) % pool->threads];
        for (int part; (part = take(range, i == 0)) >= 0;) pool->task(pool->context, part, pool->parts);
    }
}

static void run_sides(vitrail_pool *pool, int thread) {
    for (;;) {
        const int part = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (part >= pool->parts) break;
        current_side = &pool->sides[thread];
        pool->task(pool->context, part, pool->parts);
        current_side = NULL;
        atomic_fetch_add_explicit(&pool->finished, 1, memory_order_release);
    }
    atomic_fetch_add_explicit(&pool->helpers, 1, memory_order_relaxed);
    for (int turn = 1; atomic_load_explicit(&pool->finished, memory_order_acquire) < pool->parts; turn++) {
        bool has_helped = false;
        for (int i = 1; i < pool->threads; i++) has_helped |= help(&pool->sides[(thread + i) % pool->threads]);
        // Nobody whom the others wait for shall wait for a core.
        if (!has_helped) turn % 1024 == 0 ? (void)sched_yield() : relax();
    }
}

/// Before a run, while no thread is inside.
static void divide(vitrail_pool *pool) {
    switch (pool->division) {
    case LISTS:
        for (int i = 0; i < pool->threads; i++) atomic_store_explicit(&pool->claimed[i], 0, memory_order_relaxed);
        break;
    case RANGES:
        for (int i = 0; i < pool->threads; i++) {
            const uint64_t parts = (uint64_t)pool->parts;
            const uint64_t begin = parts * i / pool->threads, end = parts * (i + 1) / pool->threads;
            atomic_store_explicit(&pool->ranges[i].bounds, end << 32 | begin, memory_order_relaxed);
        }
        break;
    case PHASES: start_phases(pool); break;
    case DYNAMIC:
    case SIDES:
        atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
        atomic_store_explicit(&pool->finished, 0, memory_order_relaxed);
        atomic_store_explicit(&pool->helpers, 0, memory_order_relaxed);
        break;
    }
}

/// Takes parts until none is left to take.
static void work(vitrail_pool *pool, int thread) {
    switch (pool->division) {
    case LISTS: run_lists(pool, thread); break;
    case DYNAMIC: run_dynamic(pool); break;
    case RANGES: run_ranges(pool, thread); break;
    case PHASES: run_phases(pool, thread); break;
    case SIDES: run_sides(pool, thread); break;
    }
}
