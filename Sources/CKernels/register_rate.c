// How fast a core multiplies what lies in its registers: what no product can exceed.

#include "product_internal.h"

#include <time.h>

/// Multiplies `rounds` times on registers and returns the operations that this took.
typedef double multiply_loop(int64_t rounds);

#if PRODUCT_X86

#include <immintrin.h>

#include "tiles.h"

#pragma clang diagnostic ignored "-Wpsabi"

/// A loop of ROUND multiplications, each of `lanes` products and sums, onto as many sums that do not wait for each other. The compiler is told
/// that each sum is used as it is, so that it neither drops nor reorders them. Operands are normal numbers: zeros would draw less power.
#define REGISTER_LOOP(name, target, vector, lanes, one, multiply)                                                            \
    target static double name(int64_t rounds) {                                                                              \
        enum { ROUND = 12 };                                                                                                 \
        vector sums[ROUND], x = one, y = one;                                                                                \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < ROUND; i++) sums[i] = one;                                    \
        __asm__ volatile("" : "+v"(x), "+v"(y));                                                                             \
        for (int64_t round = 0; round < rounds; round++) {                                                                   \
            _Pragma("clang loop unroll(full)") for (int i = 0; i < ROUND; i++) {                                             \
                sums[i] = multiply(sums[i], x, y);                                                                           \
                __asm__ volatile("" : "+v"(sums[i]));                                                                        \
            }                                                                                                                \
        }                                                                                                                    \
        return 2.0 * ROUND * (lanes) * (double)rounds;                                                                       \
    }

#define FUSED_256(sum, x, y) _mm256_fmadd_ps(x, y, sum)
#define FUSED_512(sum, x, y) _mm512_fmadd_ps(x, y, sum)
#define PAIRS(sum, x, y) _mm512_dpbf16_ps(sum, (__m512bh)(x), (__m512bh)(y))
#define BYTES(sum, x, y) _mm512_dpbusd_epi32(sum, x, y)

// In the numbers of each: 2^-8 or so, and bytes of 5.
REGISTER_LOOP(float32_avx2, TARGET_AVX2, __m256, 8, _mm256_set1_ps(0.00390625f), FUSED_256)
REGISTER_LOOP(float32_avx512, TARGET_AVX512, __m512, 16, _mm512_set1_ps(0.00390625f), FUSED_512)
REGISTER_LOOP(bfloat16_avx512, TARGET_AVX512_BF16, __m512, 32, ((__m512)_mm512_set1_epi32(0x3b803b80)), PAIRS)
REGISTER_LOOP(bytes_avx512, TARGET_AVX512_BF16, __m512i, 64, _mm512_set1_epi8(5), BYTES)

#define TARGET_TILES __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma,f16c,amx-tile,amx-bf16,amx-int8")))

/// The same on tiles: six of sums, two of operands, each 16 by 16 sums of `terms`.
#define TILE_LOOP(name, terms, multiply)                                                                                     \
    TARGET_TILES static double name(int64_t rounds) {                                      \
        static const uint16_t numbers[512] __attribute__((aligned(64))) = {[0 ... 511] = 0x3b80};                            \
        amx_start();                                                                                                         \
        _tile_loadd(6, numbers, 64);                                                                                         \
        _tile_loadd(7, numbers, 64);                                                                                         \
        _tile_zero(0), _tile_zero(1), _tile_zero(2), _tile_zero(3), _tile_zero(4), _tile_zero(5);                            \
        for (int64_t round = 0; round < rounds; round++) {                                                                   \
            multiply(0, 6, 7), multiply(1, 6, 7), multiply(2, 6, 7);                                                         \
            multiply(3, 6, 7), multiply(4, 6, 7), multiply(5, 6, 7);                                                         \
        }                                                                                                                    \
        amx_stop();                                                                                                          \
        return 2.0 * 6 * 256 * (terms) * (double)rounds;                                                                     \
    }

TILE_LOOP(bfloat16_amx, 32, _tile_dpbf16ps)
TILE_LOOP(bytes_amx, 64, _tile_dpbssd)

static multiply_loop *loop_of(vitrail_register_number number) {
    const vitrail_cpu_level level = vitrail_cpu();
    switch (number) {
    case VITRAIL_REGISTERS_FLOAT32:
        return level >= VITRAIL_CPU_AVX512 ? float32_avx512 : level >= VITRAIL_CPU_AVX2 ? float32_avx2 : NULL;
    case VITRAIL_REGISTERS_BFLOAT16:
        return level >= VITRAIL_CPU_AMX ? bfloat16_amx : level >= VITRAIL_CPU_AVX512_BF16 ? bfloat16_avx512 : NULL;
    case VITRAIL_REGISTERS_BYTES:
        return level >= VITRAIL_CPU_AMX ? bytes_amx : level >= VITRAIL_CPU_AVX512_VNNI ? bytes_avx512 : NULL;
    }
    return NULL;
}

#else

static multiply_loop *loop_of(vitrail_register_number number) { return (void)number, NULL; }

#endif

typedef struct {
    multiply_loop *loop;
    int64_t rounds;
    double *operations;
} register_run;

static void multiply_part(void *context, int part, int parts) {
    (void)parts;
    const register_run *run = context;
    run->operations[part] = run->loop(run->rounds);
}

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

double vitrail_register_rate(vitrail_pool *pool, vitrail_register_number number, double duration) {
    const int threads = vitrail_pool_threads(pool);
    double *operations = vitrail_pool_borrow(NULL, (size_t)threads * sizeof *operations);
    register_run run = {.loop = loop_of(number), .rounds = 1024, .operations = operations};
    double best = 0;
    if (run.loop && operations) {
        // Long beside what starting threads takes, short beside how long a machine's other work leaves it alone.
        enum { LONG_ENOUGH_MS = 10 };
        const double end = seconds() + duration;
        int runs = 0;
        do {
            const double start = seconds();
            vitrail_pool_run(pool, multiply_part, &run, threads);
            const double taken = seconds() - start;
            if (taken < 1e-3 * LONG_ENOUGH_MS) {
                run.rounds *= 2;
                continue;
            }
            double sum = 0;
            for (int i = 0; i < threads; i++) sum += operations[i];
            if (sum / taken > best) best = sum / taken;
            runs++;
        } while (runs < 3 || seconds() < end);
    }
    vitrail_pool_return(NULL, operations);
    return best;
}
