// How kernels divide work over the pool's threads.
#ifndef VITRAIL_SPLIT_H
#define VITRAIL_SPLIT_H

#include "vitrail_pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Elements that are worth a thread of their own for a loop that does next to nothing per element.
enum { VITRAIL_GRAIN = 16384 };

/// Parts for `units` of work when fewer than `grain` of them are not worth a thread.
static inline int vitrail_parts(const vitrail_pool *pool, ptrdiff_t units, ptrdiff_t grain) {
    ptrdiff_t threads = pool ? vitrail_pool_threads(pool) : 1;
    ptrdiff_t parts = grain > 0 ? units / grain : units;
    if (parts > threads) parts = threads;
    return parts < 1 ? 1 : (int)parts;
}

/// Parts that threads take one after the other (`vitrail_pool_run_dynamic`): some for each of them, so that the others make up for
/// one that is slow.
static inline int vitrail_pieces(const vitrail_pool *pool, ptrdiff_t units, ptrdiff_t grain) {
    const ptrdiff_t threads = pool ? vitrail_pool_threads(pool) : 1, most = threads == 1 ? 1 : 4 * threads;
    const ptrdiff_t parts = grain > 0 ? units / grain : units;
    return (int)(parts > most ? most : parts < 1 ? 1 : parts);
}

/// The half-open range of part `part`: equal shares of `count`, cut at multiples of `align`.
static inline void vitrail_share(
    ptrdiff_t count, ptrdiff_t align, int part, int parts, ptrdiff_t *begin, ptrdiff_t *end) {
    ptrdiff_t blocks = (count + align - 1) / align;
    *begin = blocks * part / parts * align;
    *end = blocks * (part + 1) / parts * align;
    if (*begin > count) *begin = count;
    if (*end > count) *end = count;
}

/// Borrowed scratch, or the end of the process with a message: kernels have no way to go on without it.
void *vitrail_scratch(vitrail_pool *pool, size_t bytes);

/// destination[columns] = Σ partials [parts, columns] in the order of parts (+ destination).
void vitrail_add_partials(
    const float *partials, int parts, ptrdiff_t columns, float *destination, bool accumulate);

#endif
