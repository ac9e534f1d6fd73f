// Every loop for what the compiler targets: SSE2 on x86-64, NEON on arm64.
#include "kernel_table.h"

#include <string.h>

#pragma clang diagnostic ignored "-Wpsabi"
#include "variant_tasks.h"

const vitrail_kernel_table vitrail_kernels_baseline = VITRAIL_KERNEL_TABLE;
