// Tiles of products with quantised weights by AVX-512's dot products of bytes, what they read of x, and how their sums are stored.

#include "quantized_product.h"

#if PRODUCT_X86

#include <immintrin.h>

#pragma clang diagnostic ignored "-Wpsabi"

#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,avx512vnni"))), apply_to = function)
#define VITRAIL_WIDE 1
#include "vector.h"

#include "activations.h"

INLINE int32_t int_at(const char *place) {
    int32_t value;
    memcpy(&value, place, sizeof value);
    return value;
}

INLINE float float_at(const char *place) {
    float value;
    memcpy(&value, place, sizeof value);
    return value;
}

// MARK: Sums

/// Adds four terms of `rows` rows of x by those of two groups of weights.
INLINE void add_quad(__m512i sums[PANEL_ROWS][2], __m512i first, __m512i second, const char *quad, const int rows) {
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
        const __m512i x = _mm512_set1_epi32(int_at(quad + 4 * i));
        sums[i][0] = _mm512_dpbusd_epi32(sums[i][0], first, x);
        sums[i][1] = _mm512_dpbusd_epi32(sums[i][1], second, x);
    }
}

/// Bytes are multiplied without the weights' sign; a block's sums begin with what their offset adds, negative.
INLINE void multiply_tile(const quantized_tile *tile, float *out, const int rows, const bool four) {
    const uint8_t *scales[2] = {tile->groups[0], tile->groups[1]};
    const uint8_t *codes[2] = {scales[0] + tile->scale_bytes, scales[1] + tile->scale_bytes};
    const char *x = tile->panel, *ahead = tile->ahead;
    const int lines = tile->ahead_lines;
    const __m512i low = _mm512_set1_epi8(15);
    __m512 totals[PANEL_ROWS][2];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) totals[i][0] = totals[i][1] = _mm512_setzero_ps();
    for (int64_t block = tile->blocks; block > 0; block--, x += PANEL_BLOCK) {
        __m512i sums[PANEL_ROWS][2];
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) sums[i][0] = sums[i][1] = _mm512_set1_epi32(int_at(x + PANEL_OFFSETS + 4 * i));
        // Not unrolled: the compiler would load all of x at once, which the registers do not hold.
#pragma clang loop unroll(disable)
        for (int quad = 0; quad < (four ? 4 : 8); quad++) {
            const __m512i first = _mm512_loadu_si512(codes[0] + 64 * quad);
            const __m512i second = _mm512_loadu_si512(codes[1] + 64 * quad);
            const char *terms = x + 4 * PANEL_ROWS * quad;
            if (four) {
                add_quad(sums, _mm512_and_si512(first, low), _mm512_and_si512(second, low), terms, rows);
                add_quad(sums, _mm512_and_si512(_mm512_srli_epi16(first, 4), low),
                         _mm512_and_si512(_mm512_srli_epi16(second, 4), low), terms + 16 * PANEL_ROWS, rows);
            } else {
                add_quad(sums, first, second, terms, rows);
            }
        }
        for (int line = 0; line < lines; line++, ahead += 64) __builtin_prefetch(ahead, 0, 2);
        const __m512 first = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)scales[0]));
        const __m512 second = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)scales[1]));
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) {
            const __m512 scale = _mm512_set1_ps(float_at(x + PANEL_SCALES + 4 * i));
            totals[i][0] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[i][0]), _mm512_mul_ps(first, scale), totals[i][0]);
            totals[i][1] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[i][1]), _mm512_mul_ps(second, scale), totals[i][1]);
        }
        for (int i = 0; i < 2; i++) {
            scales[i] += QUANT_ROWS * sizeof(uint16_t);
            codes[i] += QUANT_ROWS * QUANT_TERMS / (four ? 2 : 1);
        }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
        _mm512_storeu_ps(out + i * PAIR_ROWS, totals[i][0]);
        _mm512_storeu_ps(out + i * PAIR_ROWS + 16, totals[i][1]);
    }
}

#define CASE(n, four) case n: multiply_tile(tile, out, n, four); break;
#define ALL_CASES(four) switch (tile->rows) { CASE(1, four) CASE(2, four) CASE(3, four) CASE(4, four) CASE(5, four) }

void quantized_tile_int8(const quantized_tile *tile, float *out) { ALL_CASES(false) }
void quantized_tile_int4(const quantized_tile *tile, float *out) { ALL_CASES(true) }

// MARK: Rows of x

/// Sixteen terms of a row, of which `count` exist.
INLINE __m512 terms_at(const void *x, const bool is_narrow, int64_t count) {
    if (count <= 0) return _mm512_setzero_ps();
    return (__m512)load_either((const float *)x, is_narrow, 0, count);
}

/// A block of a row: the same bits as `vitrail_matvec` has it.
INLINE void pack_block(__m512 low, __m512 high, int offset, int row, char *block) {
    const __m512i no_sign = _mm512_set1_epi32(0x7fffffff);
    const __m512i magnitudes = _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(low), no_sign),
                                                _mm512_and_si512(_mm512_castps_si512(high), no_sign));
    const uint32_t largest = _mm512_reduce_max_epu32(magnitudes);
    float magnitude;
    memcpy(&magnitude, &largest, sizeof magnitude);
    const __m512 inverse = _mm512_set1_ps(magnitude > 0 ? 127 / magnitude : 0);
    const __m512i first = _mm512_cvtps_epi32(_mm512_mul_ps(low, inverse));
    const __m512i second = _mm512_cvtps_epi32(_mm512_mul_ps(high, inverse));
    int32_t quads[8];
    _mm_storeu_si128((__m128i *)quads, _mm512_cvtepi32_epi8(first));
    _mm_storeu_si128((__m128i *)(quads + 4), _mm512_cvtepi32_epi8(second));
    for (int quad = 0; quad < 8; quad++) memcpy(block + (quad * PANEL_ROWS + row) * 4, quads + quad, 4);
    const float scale = magnitude / 127;
    // Without sign: what is not a number leaves codes that overflow.
    const uint32_t correction = 0u - (uint32_t)offset * (uint32_t)_mm512_reduce_add_epi32(_mm512_add_epi32(first, second));
    memcpy(block + PANEL_SCALES + 4 * row, &scale, sizeof scale);
    memcpy(block + PANEL_OFFSETS + 4 * row, &correction, sizeof correction);
}

INLINE void pack_row(const char *x, const bool is_narrow, int64_t k, int offset, int row, char *panel) {
    const int64_t element = is_narrow ? 2 : 4;
    for (int64_t term = 0; term < k; term += QUANT_TERMS, panel += PANEL_BLOCK) {
        const __m512 low = terms_at(x + term * element, is_narrow, k - term);
        const __m512 high = terms_at(x + (term + 16) * element, is_narrow, k - term - 16);
        pack_block(low, high, offset, row, panel);
    }
}

void quantized_pack_panel(const void *x, vitrail_element type, int64_t ldx, int rows, int64_t k, int offset, char *panel) {
    for (int i = 0; i < rows; i++) {
        if (type == VITRAIL_BFLOAT16) {
            pack_row((const char *)((const uint16_t *)x + i * ldx), true, k, offset, i, panel);
        } else {
            pack_row((const char *)((const float *)x + i * ldx), false, k, offset, i, panel);
        }
    }
}

// MARK: C

/// `function` is a constant, negative for none. What is added comes in the order of `vitrail_matvec` and of what follows it.
INLINE void store_rows(const vitrail_product_args *args, int64_t row, int rows, int64_t column, int columns, const float *sums,
                       const int function) {
    for (int i = 0; i < rows; i++, row++, sums += PAIR_ROWS) {
        for (int j = 0; j < columns; j += 16) {
            const int64_t count = columns - j, at = row * args->ldc + column + j;
            v16f value = load16(sums + j) * args->alpha;
            if (args->accumulate) value += load_n(args->c + at, count);
            if (args->bias) value += load_n(args->bias + column + j, count);
            if (args->addend) value += load_n(args->addend + row * args->ld_addend + column + j, count);
            if (function >= 0) value = activate16(function, value, NULL);
            store_either(args->c, args->c_type == VITRAIL_BFLOAT16, at, value, count);
        }
    }
}

void quantized_store(const vitrail_product_args *args, int64_t row, int rows, int64_t column, int columns, const float *sums) {
    if (!args->activates) {
        store_rows(args, row, rows, column, columns, sums, -1);
        return;
    }
#define STORE(function) store_rows(args, row, rows, column, columns, sums, function)
    FOR_ACTIVATION(args->activation, STORE)
#undef STORE
}

#pragma clang attribute pop

#endif
