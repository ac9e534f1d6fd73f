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

/// The instruction set that kernels use: the processor's, or the lower of the process's and the thread's limit.
vitrail_cpu_level vitrail_cpu(void);

/// The processor's own level, whatever the limit.
vitrail_cpu_level vitrail_cpu_detected(void);

/// Lowers the level that the process's kernels use, for comparisons; `VITRAIL_CPU_AMX` lifts the limit.
/// Must not be called while kernels run.
void vitrail_cpu_limit(vitrail_cpu_level level);

/// Lowers the level for kernels that the calling thread starts, for tests that run beside others: a pool's threads
/// take it over for the length of a run. `VITRAIL_CPU_AMX` lifts the limit. Returns the limit before.
vitrail_cpu_level vitrail_cpu_limit_thread(vitrail_cpu_level level);

/// The name of a level as printed to users: `avx512-bf16`.
const char *vitrail_cpu_level_name(vitrail_cpu_level level);

/// Whether a core that goes past weights once reads them far faster when it asks for them more than once and into its second-level cache, as
/// AMD's Zen 4 does; others do best with 3 or 4 KiB ahead into the first. Told by the processor's family.
bool vitrail_cpu_asks_far(void);

/// Sets that for all threads, for comparisons. Bits are the same.
void vitrail_cpu_ask_far(bool far);

/// Cores that this process may run on: its affinity mask; at least 1.
int vitrail_cpu_cores(void);

#ifdef __cplusplus
}
#endif

#endif
