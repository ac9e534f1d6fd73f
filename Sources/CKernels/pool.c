// One thread pool for every kernel. A run opens a gate, threads join through it while it is open, and the caller
// closes it when no part is left: so a run waits only for threads that took part, never for one that the
// operating system has not scheduled yet. Between runs threads spin for a while, then sleep.

#define _GNU_SOURCE
#include "pool_worker.h"

#include <signal.h>
#include <string.h>

// Counts forks, so that a child knows that a pool's threads stayed in its parent.
static _Atomic unsigned fork_generation = 0;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void count_fork(void) { atomic_fetch_add(&fork_generation, 1); }
static void register_fork_handler(void) { pthread_atfork(NULL, NULL, count_fork); }

// MARK: Running

/// Whether the calling thread's runs are its own: inside of a part, or keeping alone beside others that do.
static bool is_by_itself(void) { return run_depth > 0 || (alone_depth > 0 && has_company); }

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
    if (!pool || pool->threads == 1 || (parts == 1 && division != PHASES) || is_by_itself()
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
    pool->phases = division == PHASES ? context : NULL;
    pool->ahead = division == RANGES || division == PHASES ? follow(&pool->order, memory, bytes) : (reading){0};
    divide(pool);
    const uint32_t number = open_gate(pool);
    run_depth = 1;
    current_thread = 0;
    work(pool, 0);
    run_depth = 0;
    close_gate(pool, number);
    atomic_flag_clear_explicit(&pool->in_use, memory_order_release);
}

void vitrail_pool_run(vitrail_pool *pool, vitrail_task task, void *context, int parts) {
    run(pool, task, context, parts, LISTS, NULL, 0);
}

void vitrail_pool_run_together(vitrail_pool *pool, vitrail_task task, void *context, int parts) {
    const int depth = alone_depth;
    alone_depth = 0;
    run(pool, task, context, parts, LISTS, NULL, 0);
    alone_depth = depth;
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

// MARK: Beside runs

vitrail_background *vitrail_pool_begin(vitrail_pool *pool, vitrail_task task, void *context, int parts) {
    const bool is_alone = !pool || pool->threads == 1 || is_by_itself() || parts < 1
        || pool->fork_generation != atomic_load_explicit(&fork_generation, memory_order_relaxed);
    return is_alone ? NULL : open_background(pool, task, context, parts);
}

void vitrail_background_wait(vitrail_background *work, int parts) {
    if (atomic_load_explicit(&work->done, memory_order_acquire) >= parts) return;
    const int outer = current_thread;
    current_thread = 0;
    run_depth++;
    while (take_background_part(work, parts)) continue;
    run_depth--;
    current_thread = outer;
    await_background(work, parts);
}

void vitrail_background_end(vitrail_background *work) {
    vitrail_background_wait(work, work->parts);
    close_background(work);
}

int vitrail_pool_thread(void) { return current_thread; }

int vitrail_pool_threads(const vitrail_pool *pool) {
    const bool is_free = !is_by_itself() || (current_side && current_side->pool == pool);
    return pool && is_free ? pool->threads : 1;
}

int vitrail_pool_crew(const vitrail_pool *pool) {
    if (!is_by_itself()) return vitrail_pool_threads(pool);
    if (!current_side || current_side->pool != pool) return 1;
    const int helpers = atomic_load_explicit(&pool->helpers, memory_order_relaxed);
    return helpers < pool->threads ? 1 + helpers : pool->threads;
}

void vitrail_pool_keep_alone(bool is_alone) {
    if (is_alone && alone_depth++ == 0) atomic_fetch_add(&alone_threads, 1);
    if (!is_alone && --alone_depth == 0) atomic_fetch_sub(&alone_threads, 1);
    vitrail_pool_look_around();
}

void vitrail_pool_look_around(void) { has_company = atomic_load_explicit(&alone_threads, memory_order_relaxed) > 1; }

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
    atomic_flag_clear(&pool->has_background);
    atomic_store(&pool->background_gate, BACKGROUND_CLOSED);
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
    while (started < threads && start_worker(pool, started)) started++;
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
