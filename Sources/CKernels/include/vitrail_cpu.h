#ifndef VITRAIL_CPU_H
#define VITRAIL_CPU_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Instruction sets in ascending order; each level includes the ones before it.
/// A level counts only when the operating system saves its registers.
typedef enum vitrail_cpu_level {
    VITRAIL_CPU_BASELINE = 0,     ///< what the compiler targets: SSE2 on x86-64, NEON on arm64
    VITRAIL_CPU_AVX2 = 1,         ///< AVX2, FMA and F16C
    VITRAIL_CPU_AVX512 = 2,       ///< AVX-512 F, BW, VL, DQ
    VITRAIL_CPU_AVX512_VNNI = 3,  ///< and VNNI (8-bit dot products)
    VITRAIL_CPU_AVX512_BF16 = 4,  ///< and BF16 dot products
    VITRAIL_CPU_AMX = 5,          ///< and AMX tiles for bfloat16 and int8
} vitrail_cpu_level;

/// The instruction set that kernels use: the processor's, or the limit where that is lower.
vitrail_cpu_level vitrail_cpu(void);

/// The processor's own level, whatever the limit.
vitrail_cpu_level vitrail_cpu_detected(void);

/// Lowers the level that kernels use, for tests and comparisons; `VITRAIL_CPU_AMX` lifts the limit.
/// Must not be called while kernels run.
void vitrail_cpu_limit(vitrail_cpu_level level);

/// The name of a level as printed to users: `avx512-bf16`.
const char *vitrail_cpu_level_name(vitrail_cpu_level level);

/// Cores that this process may run on: its affinity mask, cut to its cgroup's quota; at least 1.
int vitrail_cpu_cores(void);

#ifdef __cplusplus
}
#endif

#endif
