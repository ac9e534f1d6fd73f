// What the files of decoding share; not part of the module.
#ifndef MATVEC_INTERNAL_H
#define MATVEC_INTERNAL_H

#include "product_internal.h"
#include "vitrail_matvec.h"

/// Dot products of up to four rows of weights with up to `columns` rows of x: out[row * columns + column].
/// x is float32, in rows `x_stride` apart; for bfloat16 weights the even terms of each 2 * lanes terms lie before
/// the odd ones, as a shift and a mask take them out of the weights.
typedef void (*dots_kernel)(const void *weights, int64_t ldw, int rows, const float *x, int64_t x_stride,
                            int columns, int64_t k, float *out);

typedef struct {
    int lanes, columns;      // floats in a vector; most columns in a call
    dots_kernel float32, bfloat16;
    /// A row of x as `bfloat16` reads it: rounded, even terms before odd ones.
    void (*prepare)(const float *x, int64_t k, float *out);
} dots_kernels;

enum { DOTS_ROWS = 4, DOTS_MOST_COLUMNS = 4 };

extern const dots_kernels dots_kernels_plain;
#if PRODUCT_X86
extern const dots_kernels dots_kernels_avx2, dots_kernels_avx2_far;
extern const dots_kernels dots_kernels_avx512, dots_kernels_avx512_in_turn, dots_kernels_avx512_far;
#endif

const dots_kernels *dots_kernels_in_use(void);

/// Asks for weights as a core wants it that `vitrail_cpu_asks_far`: into its second-level cache, and again and again, since it drops much of what
/// it is asked for. Once, 6 KiB ahead, a token took a quarter more on one thread; 12 KiB ahead instead of 4 and 8, a tenth more.
static inline __attribute__((always_inline)) void ask_far(const void *memory) {
    enum { FIRST = 4096, SECOND = 8192 };
    __builtin_prefetch((const char *)memory + FIRST, 0, 2);
    __builtin_prefetch((const char *)memory + FIRST, 0, 2);
    __builtin_prefetch((const char *)memory + SECOND, 0, 2);
    __builtin_prefetch((const char *)memory + SECOND, 0, 2);
}

// MARK: Quantised weights

enum { QUANT_ROWS = 16, QUANT_MOST_COLUMNS = 8 };

/// Rows of x in 8 bits: a block's scale is the least power of two by which its values are no more than 127 in magnitude, since adding to
/// the exponents of the weights' scales takes no time from the multipliers. A largest magnitude with the exponent e in its bits has the
/// scale 2^(e - BLOCK_EXPONENT_ZERO). Below 2^-74 values are rounded to multiples of 2^-80; from 2^39 on the row is not a number.
enum {
    BLOCK_EXPONENT_ROUNDING = 1 << 16,  // added to a magnitude's bits: from 127.5 on, 127 would not hold it
    BLOCK_EXPONENT_ZERO = 127 + 6,      // a scale is less than a 64th of the largest magnitude
    BLOCK_EXPONENT_LEAST = BLOCK_EXPONENT_ZERO - 80,
    BLOCK_EXPONENT_MOST = BLOCK_EXPONENT_ZERO + 32,
};

/// One row of x in 8 bits, as kernels read it.
typedef struct {
    const int8_t *values;    // [K]
    const float *scales;     // [blocks], powers of two, or not a number
    const int32_t *offsets;  // [blocks], what the weights' offset adds to the block's sum, negative
} quantized_row;

/// Sums of one group's 16 rows, `blocks` of so many terms each, for `columns` rows of x: out[column * 16 + row].
typedef void (*quantized_kernel)(const uint8_t *group, int64_t blocks, int terms, const quantized_row *x, int columns,
                                 float *out);

/// The same for one row of x and groups that follow each other: out[group * 16 + row].
typedef void (*quantized_rows_kernel)(const uint8_t *groups, int64_t count, int64_t blocks, int terms, const quantized_row *x, float *out);

void quantized_int8_plain(const uint8_t *group, int64_t blocks, int terms, const quantized_row *x, int columns, float *out);
void quantized_int4_plain(const uint8_t *group, int64_t blocks, int terms, const quantized_row *x, int columns, float *out);
#if PRODUCT_X86
void quantized_int8_avx2(const uint8_t *group, int64_t blocks, int terms, const quantized_row *x, int columns, float *out);
void quantized_int4_avx2(const uint8_t *group, int64_t blocks, int terms, const quantized_row *x, int columns, float *out);
void quantized_int8_vnni(const uint8_t *group, int64_t blocks, int terms, const quantized_row *x, int columns, float *out);
void quantized_int4_vnni(const uint8_t *group, int64_t blocks, int terms, const quantized_row *x, int columns, float *out);

void quantized_rows_int8_vnni(const uint8_t *groups, int64_t count, int64_t blocks, int terms, const quantized_row *x, float *out);
void quantized_rows_int4_vnni(const uint8_t *groups, int64_t count, int64_t blocks, int terms, const quantized_row *x, float *out);

/// Sixteen rows of bfloat16 weights, `blocks` * 32 terms of each, by up to 32 columns: `x` is a panel of a packed
/// right operand (see product_bfloat16.h); out[column * 16 + row].
void matvec_amx(const uint16_t *weights, int64_t ldw, const uint16_t *x, int64_t blocks, int columns,
                float *out);

// Some rows of x by bfloat16 weights with dot products of pairs.
enum { PAIRS_LEAST_COLUMNS = 3, PAIRS_MOST_COLUMNS = 64, PAIRS_RUN_ROWS = 24 };

typedef struct {
    const vitrail_matvec_args *args;   // PAIRS_LEAST_COLUMNS to PAIRS_MOST_COLUMNS rows of x
    uint16_t *packed;                  // x in bfloat16, `pairs_bytes`
} pairs_work;

size_t pairs_bytes(int64_t columns, int64_t k);
/// Tasks of a pool with a `pairs_work`: rounding x, then the products; at most a part for PAIRS_RUN_ROWS rows of weights.
void pairs_pack_part(void *work, int part, int parts);
void pairs_part(void *work, int part, int parts);

// The same for callers that divide the work themselves. Memory for packed rows with k off the multiples of 32 starts as zeros.

/// Rounds columns [first, first + count) of row `row` of m; `x` is the first of these.
void pairs_pack_row(const float *x, int64_t first, int64_t count, int64_t row, int64_t m, int64_t k, uint16_t *packed);
/// Products of up to PAIRS_RUN_ROWS rows of weights with all packed rows: out[column * stride + row], where rows up to the next
/// multiple of six are written, too.
void pairs_sums(const uint16_t *weights, int64_t ldw, int64_t k, int count, const uint16_t *packed, int64_t m, float *out,
                int64_t stride);
#endif

float float_from_half(uint16_t value);
uint16_t half_from_float(float value);

bool matvec_quantized(vitrail_pool *pool, const vitrail_matvec_args *args);

// MARK: One row of x, for callers that divide the work themselves

enum { RUN_ROWS = 16 };

/// Bytes of a row of x as the kernels of a format read it, a multiple of 64.
size_t prepared_bytes(vitrail_weight_format format, int64_t k);
size_t prepared_bytes_quantized(vitrail_weight_format format, int64_t k);
/// Makes it; `out` is aligned to 64.
void prepare_row(vitrail_weight_format format, const float *x, int64_t k, void *out);
void prepare_row_quantized(vitrail_weight_format format, const float *x, int64_t k, void *out);
/// Products of rows [first, first + count) of weights [n, k] with a prepared row. For quantised weights `first` is a multiple of
/// RUN_ROWS, and `out` has room for a multiple of it. Equal bits to `vitrail_matvec` with one row.
void multiply_prepared(vitrail_weight_format format, const void *weights, int64_t ldw, int64_t k, int64_t first, int count,
                       const void *prepared, float *out);
void multiply_prepared_quantized(vitrail_weight_format format, const void *weights, int64_t k, int64_t first, int count,
                                 const void *prepared, float *out);

/// y = (accumulate ? y : 0) + sums + bias for 16 columns of y, of which `count` exist.
static inline void store_outputs(const vitrail_matvec_args *args, int64_t row, int64_t first, int count,
                                 const float *sums) {
    float *y = args->y + row * args->ldy + first;
    for (int i = 0; i < count; i++) {
        float value = sums[i];
        if (args->accumulate) value += y[i];
        if (args->bias) value += args->bias[first + i];
        y[i] = value;
    }
}

#endif
