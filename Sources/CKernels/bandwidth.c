// How fast memory is read: the floor of decoding.

#include "matvec_internal.h"

#include <time.h>

typedef struct {
    const char *memory;
    size_t bytes;
    uint64_t *sums;
} sweep;

static void read_part(void *context, int part, int parts) {
    const sweep *work = context;
    typedef uint64_t wide __attribute__((vector_size(64), aligned(64)));
    const size_t count = work->bytes / sizeof(wide);
    const size_t first = count * (size_t)part / (size_t)parts, last = count * (size_t)(part + 1) / (size_t)parts;
    const wide *from = (const wide *)work->memory;
    wide a = {0}, b = {0}, c = {0}, d = {0};
    size_t i = first;
    for (; i + 4 <= last; i += 4) {
        __builtin_prefetch(from + i + 32);
        __builtin_prefetch(from + i + 33);
        __builtin_prefetch(from + i + 34);
        __builtin_prefetch(from + i + 35);
        a ^= from[i];
        b ^= from[i + 1];
        c ^= from[i + 2];
        d ^= from[i + 3];
    }
    a ^= b ^ c ^ d;
    uint64_t sum = 0;
    for (int j = 0; j < 8; j++) sum ^= a[j];
    work->sums[part] = sum;
}

double vitrail_read_seconds(vitrail_pool *pool, const void *memory, size_t bytes) {
    enum { PARTS = 32 };
    const int parts = PARTS * vitrail_pool_threads(pool);
    uint64_t *sums = vitrail_pool_borrow(NULL, (size_t)parts * sizeof *sums);
    if (!sums) return 0;
    const sweep work = {memory, bytes, sums};
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    vitrail_pool_run_dynamic(pool, read_part, (void *)&work, parts);
    clock_gettime(CLOCK_MONOTONIC, &end);
    vitrail_pool_return(NULL, sums);
    return (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
}
