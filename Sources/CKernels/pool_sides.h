// Work side by side: each thread runs kernels of its own, which are cut for all threads as ever, and takes all their parts itself. Threads that
// have nothing left to do help the others, part by part, until all are done. Included by pool.c alone.

#pragma once

#include "pool_waiting.h"
#include "vitrail_pool.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SIDE_CLOSED (1u << 31)

/// The kernel that a thread is running, open to helpers while parts are left.
typedef struct {
    _Alignas(64) vitrail_task task;
    void *context;
    int parts;
    const vitrail_pool *pool;
    _Alignas(64) _Atomic uint32_t gate;  // closed bit | helpers inside
    _Alignas(64) _Atomic int next;       // part
} side_kernel;

/// Of the thread's own work side by side; NULL outside, and inside a kernel's part.
static _Thread_local side_kernel *current_side = NULL;

static void take_side_parts(side_kernel *side) {
    for (;;) {
        const int part = atomic_fetch_add_explicit(&side->next, 1, memory_order_relaxed);
        if (part >= side->parts) return;
        side->task(side->context, part, side->parts);
    }
}

/// Runs a kernel of the thread's own work.
static void run_side(side_kernel *side, vitrail_task task, void *context, int parts) {
    side->task = task;
    side->context = context;
    side->parts = parts;
    atomic_store_explicit(&side->next, 0, memory_order_relaxed);
    atomic_store_explicit(&side->gate, 0, memory_order_release);
    current_side = NULL;
    take_side_parts(side);
    current_side = side;
    uint32_t gate = atomic_fetch_or_explicit(&side->gate, SIDE_CLOSED, memory_order_acq_rel);
    for (int turn = 1; (gate & ~SIDE_CLOSED) != 0; turn++) {
        turn % 1024 == 0 ? (void)sched_yield() : relax();
        gate = atomic_load_explicit(&side->gate, memory_order_acquire);
    }
}

/// Takes parts of another thread's kernel; false when it is not open.
static bool help(side_kernel *side) {
    uint32_t gate = atomic_load_explicit(&side->gate, memory_order_relaxed);
    do {
        if (gate & SIDE_CLOSED) return false;
    } while (!atomic_compare_exchange_weak_explicit(
        &side->gate, &gate, gate + 1, memory_order_acquire, memory_order_relaxed));
    const bool has_parts = atomic_load_explicit(&side->next, memory_order_relaxed) < side->parts;
    take_side_parts(side);
    atomic_fetch_sub_explicit(&side->gate, 1, memory_order_release);
    return has_parts;
}
