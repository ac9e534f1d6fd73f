// Which loops run on this processor, and what all kernels share.
#include "kernel_table.h"
#include "vitrail_cpu.h"

#include <stdio.h>
#include <stdlib.h>

extern const vitrail_kernel_table vitrail_kernels_baseline;
#if defined(__x86_64__)
extern const vitrail_kernel_table vitrail_kernels_avx2, vitrail_kernels_avx512, vitrail_kernels_avx512_bfloat16;
#endif

const vitrail_kernel_table *vitrail_kernels(void) {
#if defined(__x86_64__)
    vitrail_cpu_level level = vitrail_cpu();
    if (level >= VITRAIL_CPU_AVX512_BF16) return &vitrail_kernels_avx512_bfloat16;
    if (level >= VITRAIL_CPU_AVX512) return &vitrail_kernels_avx512;
    if (level >= VITRAIL_CPU_AVX2) return &vitrail_kernels_avx2;
#endif
    return &vitrail_kernels_baseline;
}

void *vitrail_scratch(vitrail_pool *pool, size_t bytes) {
    void *memory = vitrail_pool_borrow(pool, bytes);
    if (!memory) {
        fprintf(stderr, "vitrail: out of memory: %zu bytes of scratch\n", bytes);
        abort();
    }
    return memory;
}
