// Weights in 8 and 4 bits: how they are made and read back, and products with them. The layout is described in
// vitrail_matvec.h.

#include "matvec_internal.h"

#include <math.h>

static int64_t blocks_of(int64_t k) { return divide_up(k, QUANT_TERMS); }

static size_t block_bytes(vitrail_weight_format format) {
    return QUANT_ROWS * QUANT_TERMS / (format == VITRAIL_WEIGHTS_INT4 ? 2 : 1);
}

static size_t group_bytes(vitrail_weight_format format, int64_t k) {
    const size_t blocks = (size_t)blocks_of(k);
    // Scales are rounded up to whole cache lines, so that every vector of weights lies on one.
    return ((blocks * QUANT_ROWS * sizeof(uint16_t) + 63) & ~(size_t)63) + blocks * block_bytes(format);
}

size_t vitrail_quantized_bytes(vitrail_weight_format format, int64_t n, int64_t k) {
    if (format != VITRAIL_WEIGHTS_INT8 && format != VITRAIL_WEIGHTS_INT4) return 0;
    if (n <= 0 || k <= 0) return 0;
    return (size_t)divide_up(n, QUANT_ROWS) * group_bytes(format, k);
}

// MARK: Halves

float float_from_half(uint16_t value) {
    const uint32_t sign = (uint32_t)(value & 0x8000) << 16;
    uint32_t exponent = (value >> 10) & 0x1f, mantissa = value & 0x3ff, bits;
    if (exponent == 0) {
        const float small = (float)mantissa * 0x1p-24f;
        return sign ? -small : small;
    }
    bits = exponent == 31 ? sign | 0x7f800000u | mantissa << 13 : sign | (exponent + 112) << 23 | mantissa << 13;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

/// Nearest even for finite values in range; larger ones become the largest half: a scale must stay finite.
uint16_t half_from_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffffu;
    float magnitude;
    memcpy(&magnitude, &bits, sizeof magnitude);
    if (!(magnitude < 65504.0f)) return sign | 0x7bff;
    if (magnitude < 0x1p-14f) return sign | (uint16_t)rintf(magnitude * 0x1p24f);
    bits += 0xfff + ((bits >> 13) & 1);
    return sign | (uint16_t)((bits >> 13) - (112 << 10));
}

// MARK: Quantising

typedef struct {
    vitrail_weight_format format;
    const void *weights;
    vitrail_element type;
    int64_t ldw, n, k;
    uint8_t *out;
} quantization;

static float clamp(float value, float low, float high) { return value < low ? low : value > high ? high : value; }

/// Rounds 32 values by a scale; returns the squared error.
static float round_block(const float *values, float scale, float low, float high, int8_t *out) {
    const float inverse = scale != 0 ? 1 / scale : 0;
    float error = 0;
    for (int i = 0; i < QUANT_TERMS; i++) {
        const float q = clamp(rintf(values[i] * inverse), low, high);
        out[i] = (int8_t)q;
        error += (values[i] - q * scale) * (values[i] - q * scale);
    }
    return error;
}

/// The best of several scales: the value of largest magnitude lands on the end of the range, or just outside of it.
static uint16_t quantize_block(vitrail_weight_format format, const float *values, int8_t *out) {
    const bool four = format == VITRAIL_WEIGHTS_INT4;
    const float low = four ? -8 : -127, high = four ? 7 : 127;
    float extreme = 0;
    for (int i = 0; i < QUANT_TERMS; i++) {
        if (fabsf(values[i]) > fabsf(extreme)) extreme = values[i];
    }
    uint16_t best = half_from_float(extreme / low);
    float best_error = round_block(values, float_from_half(best), low, high, out);
    if (!four) return best;
    for (int step = -9; step <= 6; step++) {
        const uint16_t scale = half_from_float(extreme / (low + 0.15f * (float)step));
        int8_t trial[QUANT_TERMS];
        const float error = round_block(values, float_from_half(scale), low, high, trial);
        if (error < best_error) {
            best_error = error;
            best = scale;
            memcpy(out, trial, sizeof trial);
        }
    }
    return best;
}

static void quantize_part(void *context, int part, int parts) {
    const quantization *work = context;
    const int64_t blocks = blocks_of(work->k), groups = divide_up(work->n, QUANT_ROWS);
    const bool four = work->format == VITRAIL_WEIGHTS_INT4;
    for (int64_t group = groups * part / parts; group < groups * (part + 1) / parts; group++) {
        uint8_t *to = work->out + (size_t)group * group_bytes(work->format, work->k);
        const size_t bytes = group_bytes(work->format, work->k);
        memset(to, 0, bytes);
        uint16_t *scales = (uint16_t *)to;
        uint8_t *quants = to + (bytes - (size_t)blocks * block_bytes(work->format));
        for (int64_t block = 0; block < blocks; block++, quants += block_bytes(work->format)) {
            for (int i = 0; i < QUANT_ROWS; i++) {
                const int64_t row = group * QUANT_ROWS + i;
                float values[QUANT_TERMS];
                for (int j = 0; j < QUANT_TERMS; j++) {
                    const int64_t term = block * QUANT_TERMS + j;
                    values[j] = row < work->n && term < work->k
                                    ? source_value(work->weights, row * work->ldw + term,
                                                   work->type == VITRAIL_BFLOAT16 ? SOURCE_BFLOAT16 : SOURCE_FLOAT32)
                                    : 0;
                }
                int8_t q[QUANT_TERMS];
                scales[block * QUANT_ROWS + i] = quantize_block(work->format, values, q);
                for (int j = 0; j < QUANT_TERMS; j++) {
                    if (four) {
                        const int quad = j / 4 % 4, high = j / 16;
                        quants[(quad * QUANT_ROWS + i) * 4 + j % 4] |= (uint8_t)((q[j] + 8) << (4 * high));
                    } else {
                        quants[(j / 4 * QUANT_ROWS + i) * 4 + j % 4] = (uint8_t)(q[j] + 128);
                    }
                }
            }
        }
    }
}

void vitrail_quantize(vitrail_pool *pool, vitrail_weight_format format, const void *weights, vitrail_element type,
                      int64_t ldw, int64_t n, int64_t k, void *out) {
    if (n <= 0 || k <= 0) return;
    quantization work = {format, weights, type, ldw, n, k, out};
    const int64_t groups = divide_up(n, QUANT_ROWS);
    vitrail_pool_run_dynamic(pool, quantize_part, &work, (int)least(groups, 8 * vitrail_pool_threads(pool)));
}

/// Scales and weights of one block of a group.
static const uint8_t *group_quants(vitrail_weight_format format, const uint8_t *group, int64_t k) {
    return group + (group_bytes(format, k) - (size_t)blocks_of(k) * block_bytes(format));
}

float vitrail_quantized_block(vitrail_weight_format format, const void *weights, int64_t k, int64_t row,
                              int64_t block, int8_t values[32]) {
    const uint8_t *group = (const uint8_t *)weights + (size_t)(row / QUANT_ROWS) * group_bytes(format, k);
    const int i = (int)(row % QUANT_ROWS);
    const uint8_t *quants = group_quants(format, group, k) + (size_t)block * block_bytes(format);
    for (int j = 0; j < QUANT_TERMS; j++) {
        if (format == VITRAIL_WEIGHTS_INT4) {
            const uint8_t pair = quants[(j / 4 % 4 * QUANT_ROWS + i) * 4 + j % 4];
            values[j] = (int8_t)((pair >> (4 * (j / 16)) & 15) - 8);
        } else {
            values[j] = (int8_t)(quants[(j / 4 * QUANT_ROWS + i) * 4 + j % 4] - 128);
        }
    }
    return float_from_half(((const uint16_t *)group)[block * QUANT_ROWS + i]);
}

// MARK: Products

/// What is added to weights to store them without sign.
static int offset_of(vitrail_weight_format format) { return format == VITRAIL_WEIGHTS_INT4 ? 8 : 128; }

/// One row of x in 8 bits a value with a scale a block, and what the weights' `offset` adds; x beyond k is zeros.
static inline __attribute__((always_inline)) void quantize_row(
    const float *x, int64_t k, int offset, int8_t *values, float *scales, int32_t *offsets) {
#pragma clang fp contract(off)  // equal bits on every instruction set
    for (int64_t block = 0; block < blocks_of(k); block++, values += QUANT_TERMS) {
        float part[QUANT_TERMS];
        const int64_t start = block * QUANT_TERMS, count = least(QUANT_TERMS, k - start);
        for (int64_t i = 0; i < QUANT_TERMS; i++) part[i] = i < count ? x[start + i] : 0;
        uint32_t largest = 0;  // magnitudes compare as their bits do
        for (int i = 0; i < QUANT_TERMS; i++) {
            uint32_t bits;
            memcpy(&bits, part + i, sizeof bits);
            bits &= 0x7fffffffu;
            largest = bits > largest ? bits : largest;
        }
        float magnitude;
        memcpy(&magnitude, &largest, sizeof magnitude);
        const float inverse = magnitude > 0 ? 127 / magnitude : 0;
        uint32_t sum = 0;  // without sign: what is not a number leaves codes that overflow
        for (int i = 0; i < QUANT_TERMS; i++) {
            // Adding and taking away 1.5 * 2^23 rounds to the nearest integer.
            const float shifted = part[i] * inverse + 12582912.0f;
            int32_t bits;
            memcpy(&bits, &shifted, sizeof bits);
            const int32_t q = bits - 0x4b400000;
            values[i] = (int8_t)q;
            sum += (uint32_t)q;
        }
        scales[block] = magnitude / 127;
        offsets[block] = (int32_t)(0u - (uint32_t)offset * sum);
    }
}

/// The same loops for wider registers.
typedef void (*row_quantizer)(const float *x, int64_t k, int offset, int8_t *values, float *scales, int32_t *offsets);
#define DEFINE_QUANTIZER(name, target)                                                                                  \
    target static void name(const float *x, int64_t k, int offset, int8_t *values, float *scales, int32_t *offsets) {   \
        quantize_row(x, k, offset, values, scales, offsets);                                                            \
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
            product->kernel(group, product->blocks, product->rows + row, columns, sums);
            for (int c = 0; c < columns; c++) {
                store_outputs(args, row + c, i * QUANT_ROWS, (int)least(QUANT_ROWS, args->n - i * QUANT_ROWS),
                              sums + c * QUANT_ROWS);
            }
        }
    }
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
        work->quantize(work->args->x + i * work->args->ldx, work->args->k, offset_of(work->args->format),
                       (int8_t *)row->values, (float *)row->scales, (int32_t *)row->offsets);
    }
}

bool matvec_quantized(vitrail_pool *pool, const vitrail_matvec_args *args) {
    const int64_t blocks = blocks_of(args->k);
    const size_t row_bytes = (size_t)blocks * (QUANT_TERMS + sizeof(float) + sizeof(int32_t));
    const size_t table_bytes = ((size_t)args->m * sizeof(quantized_row) + 63) & ~(size_t)63;
    char *memory = vitrail_pool_borrow(pool, table_bytes + (size_t)args->m * row_bytes);
    if (!memory) return false;
    quantized_row *rows = (quantized_row *)memory;
    char *next = memory + table_bytes;
    for (int64_t i = 0; i < args->m; i++, next += row_bytes) {
        rows[i].values = (int8_t *)next;
        rows[i].scales = (float *)(next + blocks * QUANT_TERMS);
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
static quantized_row row_in(void *memory, int64_t k) {
    char *values = (char *)memory + 64;
    float *scales = (float *)(values + blocks_of(k) * QUANT_TERMS);
    return (quantized_row){(int8_t *)values, scales, (int32_t *)(scales + blocks_of(k))};
}

size_t prepared_bytes_quantized(int64_t k) {
    return (64 + (size_t)blocks_of(k) * (QUANT_TERMS + sizeof(float) + sizeof(int32_t)) + 63) & ~(size_t)63;
}

void prepare_row_quantized(vitrail_weight_format format, const float *x, int64_t k, void *out) {
    const quantized_row row = row_in(out, k);
    *(quantized_row *)out = row;
    quantizer_in_use()(x, k, offset_of(format), (int8_t *)row.values, (float *)row.scales, (int32_t *)row.offsets);
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
        rows(group, groups, blocks_of(k), prepared, out);
        return;
    }
#endif
    const quantized_kernel kernel = kernel_in_use(four);
    for (int64_t i = 0; i < groups; i++) kernel(group + (size_t)i * bytes, blocks_of(k), prepared, 1, out + i * QUANT_ROWS);
}
