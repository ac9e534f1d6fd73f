// A thread of the pool: it waits for runs, joins them, asks for what is read next, and does what is to be done beside runs. Included by pool.c alone.

#pragma once

#include "pool_background.h"
#include "pool_gate.h"
#include "pool_parts.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    vitrail_pool *pool;
    int thread;
} worker_start;

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
    // Until the first run, the caller may still be starting other threads, and count fewer than it wanted.
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
        work_beside(pool, start.thread);
    }
}

/// Starts a thread; false where it cannot be started.
static bool start_worker(vitrail_pool *pool, int thread) {
    worker_start *start = malloc(sizeof *start);
    if (!start) return false;
    *start = (worker_start){pool, thread};
    if (pthread_create(&pool->handles[thread - 1], NULL, worker, start) == 0) return true;
    free(start);
    return false;
}
