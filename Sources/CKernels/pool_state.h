// What a pool is, and where the calling thread stands in it. Included by pool.c alone.

#pragma once

#include "pool_reading.h"
#include "pool_scratch.h"
#include "pool_sides.h"
#include "vitrail_cpu.h"
#include "vitrail_pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { CACHE_LINE = 64 };

/// How a run's parts are divided among threads.
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
    _Atomic int helpers;                  // work side by side: threads with nothing left of their own
    _Alignas(CACHE_LINE) _Atomic uint32_t phase;   // number of the current phase
    _Atomic int phase_sleepers;
    side_kernel *sides;       // [threads]
    vitrail_background *background;                // work beside runs: written while its gate is closed
    atomic_flag has_background;
    _Alignas(CACHE_LINE) _Atomic uint32_t background_gate;  // closed bit | threads inside
    scratch_slot scratch[SCRATCH_SLOTS];
    reading_order order;
};

/// The thread's number inside the innermost run, and how many runs it is inside of.
static _Thread_local int current_thread = 0;
static _Thread_local int run_depth = 0;

/// How often the thread has said that it keeps alone, how many threads have, and whether there were others when it looked.
static _Thread_local int alone_depth = 0;
static _Atomic int alone_threads = 0;
static _Thread_local bool has_company = false;
