// Products of some rows of x, rounded to 8 bits, with weights in 8 and 4 bits.

#include "quantized_weights.h"

#include <math.h>

/// 2^exponent, of a normal number.
static inline __attribute__((always_inline)) float power_of_two(int32_t exponent) {
    const uint32_t bits = (uint32_t)(exponent + 127) << 23;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/// Whether a block whose largest magnitude has these bits is too large to have a scale, or not a number.
static inline __attribute__((always_inline)) bool is_block_beyond(uint32_t largest) {
    return (largest + BLOCK_EXPONENT_ROUNDING) >> 23 > BLOCK_EXPONENT_MOST;
}

/// What makes codes of a block whose largest magnitude has these bits.
static inline __attribute__((always_inline)) uint32_t block_exponent(uint32_t largest) {
    const uint32_t exponent = (largest + BLOCK_EXPONENT_ROUNDING) >> 23;
    if (exponent < BLOCK_EXPONENT_LEAST) return BLOCK_EXPONENT_LEAST;
    return exponent > BLOCK_EXPONENT_MOST ? BLOCK_EXPONENT_MOST : exponent;
}

/// One row of x in 8 bits a value with a scale a block, and what the weights' offset adds; x beyond k is zeros.
static inline __attribute__((always_inline)) void quantize_row(
    vitrail_weight_format format, const float *x, int64_t k, int8_t *values, float *scales, int32_t *offsets) {
#pragma clang fp contract(off)  // equal bits on every instruction set
    const int terms = terms_of(format), offset = offset_of(format);
    __builtin_assume(terms % VITRAIL_INT4_TERMS == 0);
    for (int64_t block = 0; block < blocks_of(format, k); block++, values += terms) {
        float part[VITRAIL_INT8_MOST_TERMS];
        const int64_t start = block * terms, count = least(terms, k - start);
        for (int64_t i = 0; i < terms; i++) part[i] = i < count ? x[start + i] : 0;
        uint32_t largest = 0;  // magnitudes compare as their bits do
        for (int i = 0; i < terms; i++) {
            uint32_t bits;
            memcpy(&bits, part + i, sizeof bits);
            bits &= 0x7fffffffu;
            largest = bits > largest ? bits : largest;
        }
        const uint32_t exponent = block_exponent(largest);
        const float inverse = power_of_two(BLOCK_EXPONENT_ZERO - (int32_t)exponent);
        uint32_t sum = 0;  // without sign: what is not a number leaves codes that overflow
        for (int i = 0; i < terms; i++) {
            // Adding and taking away 1.5 * 2^23 rounds to the nearest integer.
            const float shifted = part[i] * inverse + 12582912.0f;
            int32_t bits;
            memcpy(&bits, &shifted, sizeof bits);
            const int32_t q = bits - 0x4b400000;
            values[i] = (int8_t)q;
            sum += (uint32_t)q;
        }
        scales[block] = is_block_beyond(largest) ? NAN : power_of_two((int32_t)exponent - BLOCK_EXPONENT_ZERO);
        offsets[block] = (int32_t)(0u - (uint32_t)offset * sum);
    }
}

/// The same loops for wider registers.
typedef void (*row_quantizer)(
    vitrail_weight_format format, const float *x, int64_t k, int8_t *values, float *scales, int32_t *offsets);
#define DEFINE_QUANTIZER(name, target)                                                                                      \
    target static void name(                                                                                                \
        vitrail_weight_format format, const float *x, int64_t k, int8_t *values, float *scales, int32_t *offsets) {         \
        quantize_row(format, x, k, values, scales, offsets);                                                                \
    }
DEFINE_QUANTIZER(quantize_row_plain, )
#if PRODUCT_X86
DEFINE_QUANTIZER(quantize_row_avx2, TARGET_AVX2)
DEFINE_QUANTIZER(quantize_row_avx512, TARGET_AVX512)
#endif

static row_quantizer quantizer_in_use(void) {
#if PRODUCT_X86
    if (vitrail_cpu() >= VITRAIL_CPU_AVX512) return quantize_row_avx512;
    if (vitrail_cpu() >= VITRAIL_CPU_AVX2) return quantize_row_avx2;
#endif
    return quantize_row_plain;
}

typedef struct {
    const vitrail_matvec_args *args;
    quantized_kernel kernel;
    const quantized_row *rows;
    int64_t blocks, groups;
    size_t group_bytes;
} quantized_product;

static quantized_kernel kernel_in_use(bool four) {
#if PRODUCT_X86
    if (vitrail_cpu() >= VITRAIL_CPU_AVX512_VNNI) return four ? quantized_int4_vnni : quantized_int8_vnni;
    if (vitrail_cpu() >= VITRAIL_CPU_AVX2) return four ? quantized_int4_avx2 : quantized_int8_avx2;
#endif
    return four ? quantized_int4_plain : quantized_int8_plain;
}

static void multiply_part(void *context, int part, int parts) {
    const quantized_product *product = context;
    const vitrail_matvec_args *args = product->args;
    for (int64_t i = product->groups * part / parts; i < product->groups * (part + 1) / parts; i++) {
        const uint8_t *group = (const uint8_t *)args->weights + (size_t)i * product->group_bytes;
        for (int64_t row = 0; row < args->m; row += QUANT_MOST_COLUMNS) {
            const int columns = (int)least(QUANT_MOST_COLUMNS, args->m - row);
            float sums[QUANT_MOST_COLUMNS * QUANT_ROWS];
            if (args->m == 1) {
                multiply_prepared_quantized(args->format, args->weights, args->k, i * QUANT_ROWS, QUANT_ROWS, product->rows, sums);
            } else {
                product->kernel(group, product->blocks, terms_of(args->format), product->rows + row, columns, sums);
            }
            for (int c = 0; c < columns; c++) {
                store_outputs(args, row + c, i * QUANT_ROWS, (int)least(QUANT_ROWS, args->n - i * QUANT_ROWS),
                              sums + c * QUANT_ROWS);
            }
        }
    }
}

/// Codes, scales and offsets of one row.
static size_t row_bytes_of(vitrail_weight_format format, int64_t k) {
    return (size_t)blocks_of(format, k) * ((size_t)terms_of(format) + sizeof(float) + sizeof(int32_t));
}

typedef struct {
    const vitrail_matvec_args *args;
    const quantized_row *rows;
    row_quantizer quantize;
} row_quantization;

static void quantize_rows_part(void *context, int part, int parts) {
    const row_quantization *work = context;
    for (int64_t i = work->args->m * part / parts; i < work->args->m * (part + 1) / parts; i++) {
        const quantized_row *row = work->rows + i;
        work->quantize(work->args->format, work->args->x + i * work->args->ldx, work->args->k, (int8_t *)row->values,
                       (float *)row->scales, (int32_t *)row->offsets);
    }
}

bool matvec_quantized(vitrail_pool *pool, const vitrail_matvec_args *args) {
    const int64_t blocks = blocks_of(args->format, args->k);
    const size_t row_bytes = row_bytes_of(args->format, args->k);
    const size_t table_bytes = ((size_t)args->m * sizeof(quantized_row) + 63) & ~(size_t)63;
    char *memory = vitrail_pool_borrow(pool, table_bytes + (size_t)args->m * row_bytes);
    if (!memory) return false;
    quantized_row *rows = (quantized_row *)memory;
    char *next = memory + table_bytes;
    for (int64_t i = 0; i < args->m; i++, next += row_bytes) {
        rows[i].values = (int8_t *)next;
        rows[i].scales = (float *)(next + blocks * terms_of(args->format));
        rows[i].offsets = (int32_t *)(rows[i].scales + blocks);
    }
    row_quantization preparation = {args, rows, quantizer_in_use()};
    vitrail_pool_run(pool, quantize_rows_part, &preparation, args->m < 8 ? 1 : vitrail_pool_threads(pool));
    quantized_product product = {
        .args = args,
        .kernel = kernel_in_use(args->format == VITRAIL_WEIGHTS_INT4),
        .rows = rows,
        .blocks = blocks,
        .groups = divide_up(args->n, QUANT_ROWS),
        .group_bytes = group_bytes(args->format, args->k),
    };
    const int64_t parts = least(product.groups, 16 * (int64_t)vitrail_pool_threads(pool));
    vitrail_pool_run_reading(
        pool, multiply_part, &product, (int)parts, args->weights, (size_t)product.groups * product.group_bytes);
    vitrail_pool_return(pool, memory);
    return true;
}

// MARK: One row of x

/// The row's parts behind its description.
static quantized_row row_in(vitrail_weight_format format, int64_t k, void *memory) {
    const int64_t blocks = blocks_of(format, k);
    char *values = (char *)memory + 64;
    float *scales = (float *)(values + blocks * terms_of(format));
    return (quantized_row){(int8_t *)values, scales, (int32_t *)(scales + blocks)};
}

size_t prepared_bytes_quantized(vitrail_weight_format format, int64_t k) { return (64 + row_bytes_of(format, k) + 63) & ~(size_t)63; }

void prepare_row_quantized(vitrail_weight_format format, const float *x, int64_t k, void *out) {
    const quantized_row row = row_in(format, k, out);
    *(quantized_row *)out = row;
    quantizer_in_use()(format, x, k, (int8_t *)row.values, (float *)row.scales, (int32_t *)row.offsets);
}

void multiply_prepared_quantized(vitrail_weight_format format, const void *weights, int64_t k, int64_t first, int count,
                                 const void *prepared, float *out) {
    const bool four = format == VITRAIL_WEIGHTS_INT4;
    const size_t bytes = group_bytes(format, k);
    const uint8_t *group = (const uint8_t *)weights + (size_t)(first / QUANT_ROWS) * bytes;
    const int64_t groups = divide_up(count, QUANT_ROWS);
#if PRODUCT_X86
    if (vitrail_cpu() == VITRAIL_CPU_AVX512_BF16) {
        const quantized_rows_kernel rows = four ? quantized_rows_int4_vnni : quantized_rows_int8_vnni;
        rows(group, groups, blocks_of(format, k), terms_of(format), prepared, out);
        return;
    }
#endif
    const quantized_kernel kernel = kernel_in_use(four);
    for (int64_t i = 0; i < groups; i++) {
        kernel(group + (size_t)i * bytes, blocks_of(format, k), terms_of(format), prepared, 1, out + i * QUANT_ROWS);
    }
}
