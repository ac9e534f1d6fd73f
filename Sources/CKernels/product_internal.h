// What the files of the products share; not part of the module.
#ifndef PRODUCT_INTERNAL_H
#define PRODUCT_INTERNAL_H

#include "vitrail_cpu.h"
#include "vitrail_products.h"

#include <sched.h>
#include <string.h>

#if defined(__x86_64__)
#define PRODUCT_X86 1
#define TARGET_AVX2 __attribute__((target("avx2,fma,f16c")))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")))
#define TARGET_AVX512_BF16 \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c")))
#define TARGET_AMX \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma,f16c,amx-tile,amx-bf16")))
/// Makes all eight tiles of this thread 16 rows of 64 bytes, and gives them back.
void amx_start(void);
void amx_stop(void);
#else
#define PRODUCT_X86 0
#endif

/// How an operand's elements become what a kernel multiplies.
typedef enum {
    SOURCE_FLOAT32,   // float32 as it is
    SOURCE_BFLOAT16,  // stored bfloat16, widened
    SOURCE_ROUNDED,   // float32 rounded to bfloat16
} product_source;

/// A turn, counted from one, of waiting for another thread: it may be one that waits for this core.
static inline void take_turn(int turn) {
    if (turn % 1024 == 0) sched_yield();
#if PRODUCT_X86
    else __builtin_ia32_pause();
#endif
}

static inline int64_t least(int64_t x, int64_t y) { return x < y ? x : y; }
static inline int64_t divide_up(int64_t x, int64_t y) { return (x + y - 1) / y; }

static inline int64_t bytes_of(vitrail_element type, int64_t count) { return count * (type == VITRAIL_BFLOAT16 ? 2 : 4); }

static inline const void *element_at(const void *data, int64_t index, vitrail_element type) {
    return (const char *)data + bytes_of(type, index);
}

static inline float float_from_bfloat16(uint16_t value) {
    const uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

/// Nearest even; NaN stays NaN (quiet).
static inline uint16_t bfloat16_from_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((bits >> 16) | 0x40);
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

static inline float source_value(const void *data, ptrdiff_t index, product_source source) {
    if (source == SOURCE_BFLOAT16) return float_from_bfloat16(((const uint16_t *)data)[index]);
    const float value = ((const float *)data)[index];
    return source == SOURCE_ROUNDED ? float_from_bfloat16(bfloat16_from_float(value)) : value;
}

/// One tile of C: up to a kernel's rows x columns, over `k` terms.
typedef struct {
    int64_t k;
    const float *a;      // element (i, p) at a[i * a_stride + p], or a[p * a_stride + i] by columns
    ptrdiff_t a_stride;
    const float *b;      // row p at b + p * b_stride, a kernel's columns wide
    ptrdiff_t b_stride;
    float *c;
    ptrdiff_t ldc;
    const float *bias;   // for these columns, or NULL
    float alpha;
    const float *from;   // what is added, C itself to accumulate, or NULL
    ptrdiff_t from_stride;
    int rows, columns;
    const float *ahead;  // by rows: those multiplied next, which come from farther away and are asked for; or NULL
    ptrdiff_t ahead_stride;
    bool asks_for_a, asks_for_b;  // later terms of A (by columns) and of B come from farther away
} float32_tile;

typedef void (*float32_kernel)(const float32_tile *tile);

/// Packs `count` columns of op(B) as rows: out[p * width + j] = B(p, j), zeros for count <= j < width.
/// `step` is the distance between the columns when `by_columns` (each column contiguous), between rows otherwise.
typedef void (*float32_pack)(float *out, int width, const void *b, ptrdiff_t step, bool by_columns, int count,
                             int64_t k, product_source source);

/// The kernels of one instruction set.
typedef struct {
    int rows, columns;
    float32_kernel by_rows, by_columns;  // how A lies: rows contiguous, or columns
    float32_pack pack;
} float32_kernels;

extern const float32_kernels float32_kernels_plain;
#if PRODUCT_X86
extern const float32_kernels float32_kernels_avx2;
extern const float32_kernels float32_kernels_avx512;
#endif

const float32_kernels *float32_kernels_in_use(void);

bool product_native_float32(vitrail_pool *pool, const vitrail_product_args *args, const float32_kernels *kernels);
bool product_openblas(vitrail_pool *pool, const vitrail_product_args *args);

#endif
