// Every loop for AVX-512 with instructions that round to bfloat16.
#if defined(__x86_64__)

#include "kernel_table.h"
#include "vitrail_cpu.h"

#include <immintrin.h>
#include <string.h>

#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,avx512bf16"))), apply_to = function)
#define VITRAIL_WIDE 1
#define VITRAIL_ROUNDS 1
#include "variant_tasks.h"
#pragma clang attribute pop

const vitrail_kernel_table vitrail_kernels_avx512_bfloat16 = VITRAIL_KERNEL_TABLE;

#endif
