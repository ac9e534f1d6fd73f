// Every loop for AVX2, FMA and F16C.
#if defined(__x86_64__)

#include "kernel_table.h"

#include <string.h>

#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(__attribute__((target("arch=x86-64-v3"))), apply_to = function)

#include "variant_tasks.h"
#pragma clang attribute pop

const vitrail_kernel_table vitrail_kernels_avx2 = VITRAIL_KERNEL_TABLE;

#endif
