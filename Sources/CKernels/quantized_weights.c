// Weights in 8 and 4 bits: how they are made and read back.

#include "quantized_weights.h"

#include <math.h>

size_t vitrail_quantized_bytes(vitrail_weight_format format, int64_t n, int64_t k) {
    if (format < VITRAIL_WEIGHTS_INT4) return 0;
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

/// Rounds a block's values by a scale; returns the squared error.
static float round_block(const float *values, int terms, float scale, float low, float high, int8_t *out) {
    const float inverse = scale != 0 ? 1 / scale : 0;
    float error = 0;
    for (int i = 0; i < terms; i++) {
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
    const int terms = terms_of(format);
    float extreme = 0;
    for (int i = 0; i < terms; i++) {
        if (fabsf(values[i]) > fabsf(extreme)) extreme = values[i];
    }
    uint16_t best = half_from_float(extreme / low);
    float best_error = round_block(values, terms, float_from_half(best), low, high, out);
    if (!four) return best;
    for (int step = -9; step <= 6; step++) {
        const uint16_t scale = half_from_float(extreme / (low + 0.15f * (float)step));
        int8_t trial[VITRAIL_INT4_TERMS];
        const float error = round_block(values, terms, float_from_half(scale), low, high, trial);
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
    const int64_t blocks = blocks_of(work->format, work->k), groups = divide_up(work->n, QUANT_ROWS);
    const bool four = work->format == VITRAIL_WEIGHTS_INT4;
    const int terms = terms_of(work->format);
    for (int64_t group = groups * part / parts; group < groups * (part + 1) / parts; group++) {
        const size_t bytes = group_bytes(work->format, work->k);
        uint8_t *to = work->out + (size_t)group * bytes;
        memset(to, 0, bytes);
        uint16_t *scales = (uint16_t *)to;
        uint8_t *quants = to + scales_bytes(blocks);
        for (int64_t block = 0; block < blocks; block++, quants += block_bytes(work->format)) {
            for (int i = 0; i < QUANT_ROWS; i++) {
                const int64_t row = group * QUANT_ROWS + i;
                float values[VITRAIL_INT8_MOST_TERMS];
                for (int j = 0; j < terms; j++) {
                    const int64_t term = block * terms + j;
                    values[j] = row < work->n && term < work->k
                                    ? source_value(work->weights, row * work->ldw + term,
                                                   work->type == VITRAIL_BFLOAT16 ? SOURCE_BFLOAT16 : SOURCE_FLOAT32)
                                    : 0;
                }
                int8_t q[VITRAIL_INT8_MOST_TERMS];
                scales[block * QUANT_ROWS + i] = quantize_block(work->format, values, q);
                for (int j = 0; j < terms; j++) {
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

float vitrail_quantized_block(vitrail_weight_format format, const void *weights, int64_t k, int64_t row,
                              int64_t block, int8_t *values) {
    const uint8_t *group = (const uint8_t *)weights + (size_t)(row / QUANT_ROWS) * group_bytes(format, k);
    const int i = (int)(row % QUANT_ROWS);
    const uint8_t *quants = group + scales_bytes(blocks_of(format, k)) + (size_t)block * block_bytes(format);
    for (int j = 0; j < terms_of(format); j++) {
        if (format == VITRAIL_WEIGHTS_INT4) {
            const uint8_t pair = quants[(j / 4 % 4 * QUANT_ROWS + i) * 4 + j % 4];
            values[j] = (int8_t)((pair >> (4 * (j / 16)) & 15) - 8);
        } else {
            values[j] = (int8_t)(quants[(j / 4 * QUANT_ROWS + i) * 4 + j % 4] - 128);
        }
    }
    return float_from_half(((const uint16_t *)group)[block * QUANT_ROWS + i]);
}
