#ifndef VITRAIL_POOL_H
#define VITRAIL_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The threads that run every kernel of a back end; the caller of a run is one of them.
typedef struct vitrail_pool vitrail_pool;

/// One part of a task, 0 <= part < parts. Parts must be independent: what a part computes may depend on
/// `part` and `parts`, never on the thread or the order, so results repeat bit for bit.
typedef void (*vitrail_task)(void *context, int part, int parts);

/// Starts `threads` - 1 threads; `threads` <= 0 takes all cores of the process. With `pin` each thread
/// stays on one core of the process's affinity mask (the caller is left where it is).
/// Returns NULL when memory is short; a thread that cannot start makes the pool smaller.
vitrail_pool *vitrail_pool_create(int threads, bool pin);

/// Ends the threads and frees the pool; in a forked child it frees memory only.
void vitrail_pool_destroy(vitrail_pool *pool);

/// Threads that a run from the calling thread takes at most, itself included: one from inside a part, but for those of work side by side, or
/// while it keeps alone.
int vitrail_pool_threads(const vitrail_pool *pool);

/// Threads that begin a run from the calling thread together: in work side by side itself and those that have nothing left but to help, which
/// is a matter of chance. Nothing but how work is cut may depend on it, and no bits.
int vitrail_pool_crew(const vitrail_pool *pool);

/// With true, the calling thread runs all parts of its runs itself until it says false as often, whatever the pool: for threads that compute
/// side by side. Only the last one of them that is left, once it looks around, takes all of the pool again.
void vitrail_pool_keep_alone(bool is_alone);

/// Sees whether other threads keep alone too. Between kernels only, which count threads more than once.
void vitrail_pool_look_around(void);
/// Runs `task` as `vitrail_pool_run` does, on all threads even where the calling one keeps alone, if the pool is free.
void vitrail_pool_run_together(vitrail_pool *pool, vitrail_task task, void *context, int parts);

/// Runs all parts and returns when they are done. Part i belongs to thread i mod threads;
/// the caller, once done with its own, takes over those of a thread that has not shown up.
/// `pool` may be NULL (one thread). A call from inside a part, or while another thread uses the pool,
/// runs all its parts on the calling thread.
void vitrail_pool_run(vitrail_pool *pool, vitrail_task task, void *context, int parts);

/// As `vitrail_pool_run`, but each thread takes the next part when it is free: for parts of unequal cost,
/// and for machines with other work. Give more parts than threads.
void vitrail_pool_run_dynamic(vitrail_pool *pool, vitrail_task task, void *context, int parts);

/// As `vitrail_pool_run_dynamic`, for parts that run kernels themselves, on the same pool. A kernel is cut for as many threads as ever, so
/// that its bits are the same; the thread takes its parts alone, and those that find no part of this run left help, whichever kernels the
/// others are at. Where the pool is in use, parts follow each other.
void vitrail_pool_run_side_by_side(vitrail_pool *pool, vitrail_task task, void *context, int parts);

/// As `vitrail_pool_run_dynamic`, for parts that read `bytes` bytes of memory from end to end. A thread begins with its own share of
/// the parts, parts * thread / threads ..., from the front, and then helps others from their backs. Once done, it asks for the
/// beginning of its share of what was read next after this memory the last time: layers follow each other in the same order for
/// every token, and memory would rest while small kernels run.
void vitrail_pool_run_reading(
    vitrail_pool *pool, vitrail_task task, void *context, int parts, const void *memory, size_t bytes);

/// A step of several that follow each other: every part of it is done before any part of the next one begins.
typedef struct vitrail_phase {
    vitrail_task task;
    /// What a thread does before the first part that it takes, or NULL. Parts see its number from `vitrail_pool_thread`.
    void (*enter)(void *context);
    void *context;
    int parts;           ///< 1 ... 2^20 - 1
    const void *memory;  ///< what the parts read from end to end, or NULL
    size_t bytes;
} vitrail_phase;

/// Runs phases one after the other as one run: threads meet between them without being started anew, and those that wait ask for what
/// comes next. Parts are divided as by `vitrail_pool_run_reading`, and a thread takes half of what is left of a share at once; nobody waits
/// for a thread that has taken no part.
void vitrail_pool_run_phases(vitrail_pool *pool, const vitrail_phase *phases, int count);

/// Work that some of the pool's threads do beside runs, which go on without them.
typedef struct vitrail_background vitrail_background;

/// Begins work whose parts are taken in order, by a quarter of the pool's threads, while the caller goes on: passes over memory beside
/// products. `context` must last until the work has ended. A part runs nothing on the pool.
/// Returns NULL, and nothing has begun, for a pool of one thread, while there is other such work, from inside a part, and when memory is short.
vitrail_background *vitrail_pool_begin(vitrail_pool *pool, vitrail_task task, void *context, int parts);

/// Returns when the first `parts` parts are done; the calling thread takes those of them that nobody has. Any thread may wait.
void vitrail_background_wait(vitrail_background *work, int parts);

/// Waits for all parts and frees the work. Nobody may wait for it any more.
void vitrail_background_end(vitrail_background *work);

/// The calling thread's number inside the innermost run, 0 <= thread < threads; 0 outside of runs.
/// For scratch memory only; results must not depend on it.
int vitrail_pool_thread(void);

/// Scratch memory of at least `bytes` bytes, aligned to 64, contents undefined; NULL when memory is short.
/// Kept in the pool after its return, so that the next kernel finds pages that are already there.
void *vitrail_pool_borrow(vitrail_pool *pool, size_t bytes);

/// Gives back what `vitrail_pool_borrow` lent.
void vitrail_pool_return(vitrail_pool *pool, void *memory);

#ifdef __cplusplus
}
#endif

#endif
