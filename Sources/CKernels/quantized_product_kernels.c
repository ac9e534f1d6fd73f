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
    const char *c = tile->c, *addend = tile->addend;
    int asked = 0;
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
        // What sums are added to and stored in comes from memory meanwhile, a row in each of the first blocks.
        if (asked < rows) {
            __builtin_prefetch(c, 1);
            __builtin_prefetch(c + tile->c_last, 1);
            if (addend) {
                __builtin_prefetch(addend);
                __builtin_prefetch(addend + tile->addend_last);
                addend += tile->addend_row;
            }
            c += tile->c_row;
            asked++;
        }
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

/// A panel's rows, filled up to eight with zeros: lane i of the result is what `join` makes of all lanes of x[i].
#define JOIN_ROWS(x, join)                                                                                                  \
    __m512i pairs[4], fours[2];                                                                                             \
    for (int i = 0; i < 4; i++)                                                                                             \
        pairs[i] = join(_mm512_unpacklo_epi32(x[2 * i], x[2 * i + 1]), _mm512_unpackhi_epi32(x[2 * i], x[2 * i + 1]));       \
    for (int i = 0; i < 2; i++)                                                                                             \
        fours[i] = join(_mm512_unpacklo_epi64(pairs[2 * i], pairs[2 * i + 1]),                                              \
                        _mm512_unpackhi_epi64(pairs[2 * i], pairs[2 * i + 1]));                                             \
    const __m512i eight = join(_mm512_shuffle_i32x4(fours[0], fours[1], 0x88), _mm512_shuffle_i32x4(fours[0], fours[1], 0xdd)); \
    return _mm512_castsi512_si256(_mm512_permutexvar_epi64(                                                                 \
        _mm512_set_epi64(7, 6, 3, 2, 5, 4, 1, 0),                                                                           \
        join(eight, _mm512_shuffle_i32x4(eight, eight, 0xb1))))

INLINE __m256i largest_of_rows(const __m512i x[8]) { JOIN_ROWS(x, _mm512_max_epu32); }
INLINE __m256i sums_of_rows(const __m512i x[8]) { JOIN_ROWS(x, _mm512_add_epi32); }
#undef JOIN_ROWS

/// Quads of five rows' codes, row after row, as a panel has them.
INLINE void store_quads(const __m256i codes[PANEL_ROWS], char *block) {
    const __m512i first = _mm512_inserti64x4(_mm512_castsi256_si512(codes[0]), codes[1], 1);
    const __m512i second = _mm512_inserti64x4(_mm512_castsi256_si512(codes[2]), codes[3], 1);
    const __m512i last = _mm512_castsi256_si512(codes[4]);
    static const int32_t order[3][16] __attribute__((aligned(64))) = {
        {0, 8, 16, 24, 0, 1, 9, 17, 25, 0, 2, 10, 18, 26, 0, 3},
        {11, 19, 27, 0, 4, 12, 20, 28, 0, 5, 13, 21, 29, 0, 6, 14},
        {22, 30, 0, 7, 15, 23, 31, 0, 8, 16, 24, 31, 0, 9, 17, 25}};
    static const int32_t quads[3][16] __attribute__((aligned(64))) = {
        {0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3},
        {3, 3, 3, 3, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 6, 6},
        {6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}};
    const __mmask16 are_last[3] = {0x4210, 0x2108, 0x1084};
    for (int i = 0; i < 3; i++) {
        __m512i out = _mm512_permutex2var_epi32(first, _mm512_load_si512(order[i]), second);
        out = _mm512_mask_permutexvar_epi32(out, are_last[i], _mm512_load_si512(quads[i]), last);
        if (i < 2) _mm512_storeu_si512(block + 64 * i, out);
        else _mm256_storeu_si256((__m256i *)(block + 128), _mm512_castsi512_si256(out));
    }
}

/// A block of a panel's rows: the same bits as `vitrail_matvec` has them.
INLINE void pack_block(const __m512 low[PANEL_ROWS], const __m512 high[PANEL_ROWS], int offset, char *block) {
    const __m512i no_sign = _mm512_set1_epi32(0x7fffffff);
    __m512i magnitudes[8], sums[8];
    for (int i = 0; i < 8; i++) magnitudes[i] = sums[i] = _mm512_setzero_si512();
    for (int i = 0; i < PANEL_ROWS; i++)
        magnitudes[i] = _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(low[i]), no_sign),
                                         _mm512_and_si512(_mm512_castps_si512(high[i]), no_sign));
    const __m256 largest = _mm256_castsi256_ps(largest_of_rows(magnitudes)), most = _mm256_set1_ps(127);
    const __mmask8 is_positive = _mm256_cmp_ps_mask(largest, _mm256_setzero_ps(), _CMP_GT_OQ);
    const __m512 inverses = _mm512_castps256_ps512(_mm256_maskz_div_ps(is_positive, most, largest));
    __m256i codes[PANEL_ROWS];
    for (int i = 0; i < PANEL_ROWS; i++) {
        const __m512 inverse = _mm512_permutexvar_ps(_mm512_set1_epi32(i), inverses);
        const __m512i first = _mm512_cvtps_epi32(_mm512_mul_ps(low[i], inverse));
        const __m512i second = _mm512_cvtps_epi32(_mm512_mul_ps(high[i], inverse));
        codes[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm512_cvtepi32_epi8(first)),
                                           _mm512_cvtepi32_epi8(second), 1);
        sums[i] = _mm512_add_epi32(first, second);
    }
    store_quads(codes, block);
    const __mmask8 exist = (1 << PANEL_ROWS) - 1;
    _mm256_mask_storeu_ps(block + PANEL_SCALES, exist, _mm256_div_ps(largest, most));
    // Modulo 2^32: what is not a number leaves codes that overflow.
    const __m256i corrections = _mm256_mullo_epi32(sums_of_rows(sums), _mm256_set1_epi32(-offset));
    _mm256_mask_storeu_epi32(block + PANEL_OFFSETS, exist, corrections);
}

INLINE void pack_rows(const char *x, const bool is_narrow, int64_t ldx, int rows, int64_t k, int offset, char *panel) {
    const int64_t element = is_narrow ? 2 : 4;
    for (int64_t term = 0; term < k; term += QUANT_TERMS, panel += PANEL_BLOCK) {
        __m512 low[PANEL_ROWS], high[PANEL_ROWS];
#pragma clang loop unroll(full)
        for (int i = 0; i < PANEL_ROWS; i++) {
            const char *at = x + (i * ldx + term) * element;
            low[i] = terms_at(at, is_narrow, i < rows ? k - term : 0);
            high[i] = terms_at(at + 16 * element, is_narrow, i < rows ? k - term - 16 : 0);
        }
        pack_block(low, high, offset, panel);
    }
}

void quantized_pack_panel(const void *x, vitrail_element type, int64_t ldx, int rows, int64_t k, int offset, char *panel) {
    const bool is_narrow = type == VITRAIL_BFLOAT16;
    if (is_narrow) pack_rows(x, true, ldx, rows, k, offset, panel);
    else pack_rows(x, false, ldx, rows, k, offset, panel);
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

/// Whole rows of a tile, `biased`, `added` and `narrow` known where this is inlined.
INLINE void store_whole(const vitrail_product_args *args, int64_t row, int rows, int64_t column, const float *sums,
                        const bool biased, const bool added, const bool narrow) {
    const v16f none = 0.0f, left = biased ? load16(args->bias + column) : none;
    const v16f right = biased ? load16(args->bias + column + 16) : none;
    for (int i = 0; i < rows; i++, row++, sums += PAIR_ROWS) {
        v16f low = load16(sums), high = load16(sums + 16);
        if (biased) low += left, high += right;
        if (added) {
            const float *addend = args->addend + row * args->ld_addend + column;
            low += load16(addend), high += load16(addend + 16);
        }
        store_either(args->c, narrow, row * args->ldc + column, low, 16);
        store_either(args->c, narrow, row * args->ldc + column + 16, high, 16);
    }
}

void quantized_store(const vitrail_product_args *args, int64_t row, int rows, int64_t column, int columns, const float *sums) {
    const bool narrow = args->c_type == VITRAIL_BFLOAT16;
    if (!args->activates && columns == PAIR_ROWS && args->alpha == 1 && !args->accumulate) {
#define WHOLE(biased, added, narrow) store_whole(args, row, rows, column, sums, biased, added, narrow)
#define WHOLE_OF(biased, added) narrow ? WHOLE(biased, added, true) : WHOLE(biased, added, false)
        if (args->addend) args->bias ? (WHOLE_OF(true, true)) : (WHOLE_OF(false, true));
        else args->bias ? (WHOLE_OF(true, false)) : (WHOLE_OF(false, false));
#undef WHOLE_OF
#undef WHOLE
        return;
    }
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
