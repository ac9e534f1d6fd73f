// What the processor can do, asked once while the program is loaded.

#define _GNU_SOURCE
#include "vitrail_cpu.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__)
#include <sched.h>
#include <sys/syscall.h>
#endif

#if defined(__x86_64__)
#include <cpuid.h>
#endif

// Written by the constructor, and by `vitrail_cpu_limit` between kernels.
static vitrail_cpu_level detected_level = VITRAIL_CPU_BASELINE;
static vitrail_cpu_level process_level = VITRAIL_CPU_BASELINE;
static _Thread_local vitrail_cpu_level thread_limit = VITRAIL_CPU_AMX;
static _Atomic bool asks_far;

#if defined(__x86_64__)

enum { AVX_STATE = 0x6, AVX512_STATE = 0xe6, TILE_STATE = 0x60000 };

static uint64_t enabled_state(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((uint64_t)high << 32) | low;
}

#if VITRAIL_EMULATED_TILES

static bool has_tiles(uint32_t features, uint64_t state) { return (void)features, (void)state, true; }

#else

/// Tiles and their products of bfloat16 and of bytes. Linux grants the 8 KiB of their registers on request only, because every
/// signal frame then holds them.
static bool has_tiles(uint32_t features, uint64_t state) {
    const uint32_t bits = (1u << 22) | (1u << 24) | (1u << 25);
    if ((features & bits) != bits || (state & TILE_STATE) != TILE_STATE) return false;
#if defined(__linux__)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
    return false;
#endif
}

#endif

static vitrail_cpu_level detect(void) {
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return VITRAIL_CPU_BASELINE;
    const bool fma = c & (1u << 12), osxsave = c & (1u << 27), avx = c & (1u << 28), f16c = c & (1u << 29);
    if (!osxsave || !avx || !fma || !f16c) return VITRAIL_CPU_BASELINE;
    const uint64_t state = enabled_state();
    if ((state & AVX_STATE) != AVX_STATE) return VITRAIL_CPU_BASELINE;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return VITRAIL_CPU_BASELINE;
    if (!(b & (1u << 5))) return VITRAIL_CPU_BASELINE;
    const uint32_t avx512 = (1u << 16) | (1u << 17) | (1u << 30) | (1u << 31);  // F, DQ, BW, VL
    if ((b & avx512) != avx512 || (state & AVX512_STATE) != AVX512_STATE) return VITRAIL_CPU_AVX2;
    if (!(c & (1u << 11))) return VITRAIL_CPU_AVX512;
    const uint32_t tile_features = d;
    if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a & (1u << 5))) return VITRAIL_CPU_AVX512_VNNI;
    return has_tiles(tile_features, state) ? VITRAIL_CPU_AMX : VITRAIL_CPU_AVX512_BF16;
}

/// AMD's family of Zen 3 and 4, of which Zen 4 has AVX-512.
static bool is_amd_family_25(void) {
    uint32_t a, b, c, d;
    if (!__get_cpuid(0, &a, &b, &c, &d) || b != signature_AMD_ebx || c != signature_AMD_ecx || d != signature_AMD_edx) return false;
    return __get_cpuid(1, &a, &b, &c, &d) && (a >> 8 & 15) + (a >> 20 & 255) == 0x19;
}

#else

static vitrail_cpu_level detect(void) { return VITRAIL_CPU_BASELINE; }
static bool is_amd_family_25(void) { return false; }

#endif

__attribute__((constructor(101))) static void detect_at_load(void) {
    detected_level = detect();
    process_level = detected_level;
    vitrail_cpu_ask_far(is_amd_family_25());
}

vitrail_cpu_level vitrail_cpu(void) { return thread_limit < process_level ? thread_limit : process_level; }

vitrail_cpu_level vitrail_cpu_detected(void) { return detected_level; }

bool vitrail_cpu_asks_far(void) { return atomic_load_explicit(&asks_far, memory_order_relaxed); }

void vitrail_cpu_ask_far(bool far) { atomic_store_explicit(&asks_far, far, memory_order_relaxed); }

void vitrail_cpu_limit(vitrail_cpu_level level) {
    process_level = level < detected_level ? level : detected_level;
}

vitrail_cpu_level vitrail_cpu_limit_thread(vitrail_cpu_level level) {
    const vitrail_cpu_level previous = thread_limit;
    thread_limit = level;
    return previous;
}

const char *vitrail_cpu_level_name(vitrail_cpu_level level) {
    static const char *const names[] = {"baseline", "avx2", "avx512", "avx512-vnni", "avx512-bf16", "amx"};
    return level >= VITRAIL_CPU_BASELINE && level <= VITRAIL_CPU_AMX ? names[level] : "unknown";
}

int vitrail_cpu_cores(void) {
    int cores = 0;
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) cores = CPU_COUNT(&set);
#endif
    if (cores < 1) cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores;
}
