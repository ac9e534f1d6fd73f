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

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

double vitrail_read_bandwidth(vitrail_pool *pool, size_t bytes) {
    enum { SWEEPS = 7, PARTS = 32 };
    if (bytes == 0) bytes = (size_t)512 << 20;
    const int parts = PARTS * vitrail_pool_threads(pool);
    char *memory = vitrail_pool_borrow(NULL, bytes);
    uint64_t *sums = vitrail_pool_borrow(NULL, (size_t)parts * sizeof *sums);
    double best = 0;
    if (memory && sums) {
        memset(memory, 1, bytes);
        const sweep work = {memory, bytes, sums};
        for (int i = 0; i < SWEEPS; i++) {
            const double start = seconds();
            vitrail_pool_run_dynamic(pool, read_part, (void *)&work, parts);
            const double rate = (double)bytes / (seconds() - start);
            if (rate > best) best = rate;
        }
    }
    vitrail_pool_return(NULL, sums);
    vitrail_pool_return(NULL, memory);
    return best;
}
