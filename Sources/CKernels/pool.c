// One thread pool for every kernel. A run opens a gate, threads join through it while it is open, and the caller
// closes it when no part is left: so a run waits only for threads that took part, never for one that the
// operating system has not scheduled yet. Between runs threads spin for some tens of microseconds, then sleep.

#define _GNU_SOURCE
#include "vitrail_pool.h"

#include "pool_reading.h"
#include "pool_scratch.h"
#include "pool_waiting.h"
#include "vitrail_cpu.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pool_sides.h"

enum { CACHE_LINE = 64 };

#define GATE_CLOSED (1ull << 31)
#define GATE_COUNT (GATE_CLOSED - 1)

typedef enum { LISTS, DYNAMIC, RANGES, PHASES, SIDES } division;

typedef struct {
    _Alignas(CACHE_LINE) _Atomic uint64_t bounds;  // end << 32 | begin; in phases as pool_phases.h says
} part_range;

struct vitrail_pool {
    int threads;
    bool pin;
    unsigned fork_generation;
    pthread_t *handles;       // [threads - 1]
    atomic_flag in_use;       // held for the length of a run

    // The job: written while the gate is closed and no thread is inside.
    vitrail_task task;
    void *context;
    int parts;
    division division;
    reading ahead;            // what the next such run reads, as far as is known
    const vitrail_phase *phases;
    vitrail_cpu_level level;  // the caller's limit of the instruction set
    _Atomic bool stop;

    _Alignas(CACHE_LINE) _Atomic uint64_t gate;    // run number << 32 | closed bit | threads inside
    _Alignas(CACHE_LINE) _Atomic uint32_t run;     // run number that threads wait for
    _Atomic int sleepers;
    _Alignas(CACHE_LINE) _Atomic uint32_t done;    // number of the last run that its last thread has left
    _Atomic bool caller_sleeps;
    _Alignas(CACHE_LINE) _Atomic int next;         // dynamic: next part
    _Alignas(CACHE_LINE) _Atomic uint8_t *claimed; // static: [threads], whether a thread's parts are taken
    part_range *ranges;       // [threads], parts of each thread that nobody has taken
    _Alignas(CACHE_LINE) _Atomic int finished;     // parts of the current phase that are done
    _Alignas(CACHE_LINE) _Atomic uint32_t phase;   // number of the current phase
    _Atomic int phase_sleepers;
    side_kernel *sides;       // [threads]
    scratch_slot scratch[SCRATCH_SLOTS];
    reading_order order;
};

typedef struct {
    vitrail_pool *pool;
    int thread;
} worker_start;

static _Thread_local int current_thread = 0;
static _Thread_local int run_depth = 0;

// Counts forks, so that a child knows that a pool's threads stayed in its parent.
static _Atomic unsigned fork_generation = 0;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void count_fork(void) { atomic_fetch_add(&fork_generation, 1); }
static void register_fork_handler(void) { pthread_atfork(NULL, NULL, count_fork); }

// MARK: Running

static void run_list(vitrail_pool *pool, int list) {
    for (int part = list; part < pool->parts; part += pool->threads) pool->task(pool->context, part, pool->parts);
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

#include "pool_phases.h"

static void run_sides(vitrail_pool *pool, int thread) {
    for (;;) {
        const int part = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (part >= pool->parts) break;
        current_side = &pool->sides[thread];
        pool->task(pool->context, part, pool->parts);
        current_side = NULL;
        atomic_fetch_add_explicit(&pool->finished, 1, memory_order_release);
    }
    for (int turn = 1; atomic_load_explicit(&pool->finished, memory_order_acquire) < pool->parts; turn++) {
        bool has_helped = false;
        for (int i = 1; i < pool->threads; i++) has_helped |= help(&pool->sides[(thread + i) % pool->threads]);
        // Nobody whom the others wait for shall wait for a core.
        if (!has_helped) turn % 1024 == 0 ? (void)sched_yield() : relax();
    }
}

static void work(vitrail_pool *pool, int thread) {
    if (pool->division == PHASES) {
        run_phases(pool, thread);
        return;
    }
    if (pool->division == SIDES) {
        run_sides(pool, thread);
        return;
    }
    if (pool->division == RANGES) {
        run_ranges(pool, thread);
        return;
    }
    if (pool->division == DYNAMIC) {
        for (;;) {
            const int part = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
            if (part >= pool->parts) return;
            pool->task(pool->context, part, pool->parts);
        }
    }
    if (!atomic_exchange_explicit(&pool->claimed[thread], 1, memory_order_relaxed)) run_list(pool, thread);
    if (thread != 0) return;
    // The caller is done with its own parts: it takes those of threads that have not shown up.
    for (int other = 1; other < pool->threads && other < pool->parts; other++) {
        if (!atomic_exchange_explicit(&pool->claimed[other], 1, memory_order_relaxed)) run_list(pool, other);
    }
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

static void pin_to_core(int thread) {
#if defined(__linux__)
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    const int count = CPU_COUNT(&allowed);
    if (count < 1) return;
    int wanted = thread % count;
    for (int core = 0; core < CPU_SETSIZE; core++) {
        if (!CPU_ISSET(core, &allowed) || wanted-- > 0) continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(core, &one);
        sched_setaffinity(0, sizeof one, &one);
        return;
    }
#else
    (void)thread;
#endif
}

static void *worker(void *argument) {
    const worker_start start = *(worker_start *)argument;
    free(argument);
    vitrail_pool *pool = start.pool;
    if (pool->pin) pin_to_core(start.thread);
#if defined(__linux__)
    char name[16];
    snprintf(name, sizeof name, "vitrail-%d", start.thread);
    pthread_setname_np(pthread_self(), name);
#endif
    current_thread = start.thread;
    run_depth = 1;
    uint32_t seen = 0;
    for (;;) {
        if (!spin_while(&pool->run, seen)) {
            atomic_fetch_add(&pool->sleepers, 1);
            while (atomic_load(&pool->run) == seen) wait_while(&pool->run, seen);
            atomic_fetch_sub(&pool->sleepers, 1);
        }
        seen = atomic_load(&pool->run);
        if (atomic_load(&pool->stop)) return NULL;
        if (join(pool)) {
            vitrail_cpu_limit_thread(pool->level);
            work(pool, start.thread);
            const reading ahead = pool->ahead;
            const int threads = pool->threads;
            leave(pool);
            look_ahead(ahead, start.thread, threads, &pool->run, seen);
        }
    }
}

static void run_inline(vitrail_task task, void *context, int parts) {
    const int outer = current_thread;
    side_kernel *const side = current_side;
    current_thread = 0;
    current_side = NULL;
    run_depth++;
    for (int part = 0; part < parts; part++) task(context, part, parts);
    run_depth--;
    current_side = side;
    current_thread = outer;
}

static void run(
    vitrail_pool *pool, vitrail_task task, void *context, int parts, division division, const void *memory,
    size_t bytes) {
    if (parts < 1) return;
    if (pool && current_side && current_side->pool == pool && parts > 1 && division != PHASES && division != SIDES) {
        run_side(current_side, task, context, parts);
        return;
    }
    if (!pool || pool->threads == 1 || (parts == 1 && division != PHASES) || run_depth > 0
        || pool->fork_generation != atomic_load_explicit(&fork_generation, memory_order_relaxed)
        || atomic_flag_test_and_set_explicit(&pool->in_use, memory_order_acquire)) {
        if (division == SIDES) {
            // One after the other, and each on all the threads that there are.
            for (int part = 0; part < parts; part++) task(context, part, parts);
        } else {
            run_inline(task, context, parts);
        }
        return;
    }
    pool->task = task;
    pool->context = context;
    pool->parts = parts;
    pool->division = division;
    pool->level = vitrail_cpu();
    pool->ahead = (reading){0};
    if (division == RANGES) {
        pool->ahead = follow(&pool->order, memory, bytes);
        for (int i = 0; i < pool->threads; i++) {
            const uint64_t begin = (uint64_t)parts * i / pool->threads, end = (uint64_t)parts * (i + 1) / pool->threads;
            atomic_store_explicit(&pool->ranges[i].bounds, end << 32 | begin, memory_order_relaxed);
        }
    } else if (division == PHASES) {
        pool->phases = context;
        start_phases(pool);
        pool->ahead = follow(&pool->order, memory, bytes);
    } else if (division == DYNAMIC || division == SIDES) {
        atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
        atomic_store_explicit(&pool->finished, 0, memory_order_relaxed);
    } else {
        for (int i = 0; i < pool->threads; i++) atomic_store_explicit(&pool->claimed[i], 0, memory_order_relaxed);
    }
    const uint32_t number = atomic_load_explicit(&pool->run, memory_order_relaxed) + 1;
    atomic_store_explicit(&pool->gate, (uint64_t)number << 32, memory_order_release);
    atomic_store(&pool->run, number);
    if (atomic_load(&pool->sleepers) > 0) wake_all(&pool->run);

    run_depth = 1;
    current_thread = 0;
    work(pool, 0);
    run_depth = 0;

    const uint64_t gate = atomic_fetch_or_explicit(&pool->gate, GATE_CLOSED, memory_order_acq_rel);
    if ((gate & GATE_COUNT) != 0) {
        // `done` may lag by several runs: any value but `number` means that threads are still inside.
        for (;;) {
            const uint32_t value = atomic_load(&pool->done);
            if (value == number) break;
            if (spin_while(&pool->done, value)) continue;
            atomic_store(&pool->caller_sleeps, true);
            if (atomic_load(&pool->done) == value) wait_while(&pool->done, value);
            atomic_store(&pool->caller_sleeps, false);
        }
    }
    atomic_flag_clear_explicit(&pool->in_use, memory_order_release);
}

void vitrail_pool_run(vitrail_pool *pool, vitrail_task task, void *context, int parts) {
    run(pool, task, context, parts, LISTS, NULL, 0);
}

void vitrail_pool_run_dynamic(vitrail_pool *pool, vitrail_task task, void *context, int parts) {
    run(pool, task, context, parts, DYNAMIC, NULL, 0);
}

void vitrail_pool_run_side_by_side(vitrail_pool *pool, vitrail_task task, void *context, int parts) {
    run(pool, task, context, parts, SIDES, NULL, 0);
}

void vitrail_pool_run_reading(
    vitrail_pool *pool, vitrail_task task, void *context, int parts, const void *memory, size_t bytes) {
    run(pool, task, context, parts, RANGES, memory, bytes);
}

void vitrail_pool_run_phases(vitrail_pool *pool, const vitrail_phase *phases, int count) {
    if (count > 0) run(pool, run_phase, (void *)phases, count, PHASES, phases[0].memory, phases[0].bytes);
}

int vitrail_pool_thread(void) { return current_thread; }

int vitrail_pool_threads(const vitrail_pool *pool) {
    const bool is_free = run_depth == 0 || (current_side && current_side->pool == pool);
    return pool && is_free ? pool->threads : 1;
}

int vitrail_pool_crew(const vitrail_pool *pool) { return run_depth == 0 ? vitrail_pool_threads(pool) : 1; }

void vitrail_pool_keep_alone(bool is_alone) { run_depth += is_alone ? 1 : -1; }

// MARK: Life

static void release(vitrail_pool *pool) {
    free(pool->handles);
    free((void *)pool->claimed);
    free(pool->order.entries);
    free(pool->ranges);
    free(pool->sides);
    free(pool);
}

vitrail_pool *vitrail_pool_create(int threads, bool pin) {
    pthread_once(&fork_once, register_fork_handler);
    if (threads <= 0) threads = vitrail_cpu_cores();
    if (threads > 1024) threads = 1024;
    void *memory = NULL;
    if (posix_memalign(&memory, CACHE_LINE, sizeof(vitrail_pool)) != 0) return NULL;
    vitrail_pool *pool = memset(memory, 0, sizeof(vitrail_pool));
    pool->threads = threads;
    pool->pin = pin;
    pool->fork_generation = atomic_load(&fork_generation);
    atomic_flag_clear(&pool->in_use);
    atomic_store(&pool->gate, GATE_CLOSED);
    pool->handles = calloc((size_t)threads, sizeof(pthread_t));
    pool->claimed = calloc((size_t)threads, 1);
    pool->order.entries = calloc(READINGS, sizeof(reading_entry));
    pool->ranges = aligned_alloc(CACHE_LINE, (size_t)threads * sizeof(part_range));
    pool->sides = aligned_alloc(CACHE_LINE, (size_t)threads * sizeof(side_kernel));
    if (!pool->handles || !pool->claimed || !pool->order.entries || !pool->ranges || !pool->sides) {
        release(pool);
        return NULL;
    }
    for (int i = 0; i < threads; i++) pool->sides[i] = (side_kernel){.pool = pool, .gate = SIDE_CLOSED};
    // Signals belong to the program's own threads.
    sigset_t all, previous;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    int started = 1;
    for (; started < threads; started++) {
        worker_start *start = malloc(sizeof *start);
        if (!start) break;
        *start = (worker_start){pool, started};
        if (pthread_create(&pool->handles[started - 1], NULL, worker, start) != 0) {
            free(start);
            break;
        }
    }
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    pool->threads = started;
    return pool;
}

void vitrail_pool_destroy(vitrail_pool *pool) {
    if (!pool) return;
    if (pool->fork_generation == atomic_load(&fork_generation)) {
        atomic_store(&pool->stop, true);
        atomic_fetch_add(&pool->run, 1);
        wake_all(&pool->run);
        for (int i = 0; i < pool->threads - 1; i++) pthread_join(pool->handles[i], NULL);
    }
    free_scratch(pool->scratch);
    release(pool);
}

// MARK: Scratch memory

void *vitrail_pool_borrow(vitrail_pool *pool, size_t bytes) { return borrow_scratch(pool ? pool->scratch : NULL, bytes); }

void vitrail_pool_return(vitrail_pool *pool, void *memory) { return_scratch(pool ? pool->scratch : NULL, memory); }
