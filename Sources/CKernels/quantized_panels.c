// Rows of x as tiles of quantised products read them: rounded to 8 bits and packed.

#include "quantized_product.h"
#include "quantized_weights.h"

#if PRODUCT_X86

#include <immintrin.h>
#include <math.h>

#pragma clang diagnostic ignored "-Wpsabi"

#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,avx512vnni"))), apply_to = function)
#define VITRAIL_WIDE 1
#include "vector.h"

/// Rows of x, from a block's first term on.
typedef struct {
    const char *x;
    int64_t row_bytes, left;  // terms of a row from here
    int rows;
} panel_source;

/// Sixteen terms of a row; those that do not exist are zeros, unless all of the block do.
INLINE __m512 terms_at(const panel_source *from, const bool is_narrow, const bool is_whole, int row, int64_t term) {
    if (!is_whole && (row >= from->rows || term >= from->left)) return _mm512_setzero_ps();
    const char *const at = from->x + row * from->row_bytes + term * (is_narrow ? 2 : 4);
    return (__m512)load_either((const float *)at, is_narrow, 0, is_whole ? 16 : from->left - term);
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

/// Quads of six rows' codes, row after row, as a panel has them.
INLINE void store_quads(const __m256i codes[PANEL_ROWS], char *block) {
    __m512i pairs[3];
    for (int i = 0; i < 3; i++) pairs[i] = _mm512_inserti64x4(_mm512_castsi256_si512(codes[2 * i]), codes[2 * i + 1], 1);
    // Where each of 48 places finds its quad, in the first two pairs and in the third.
    static const int32_t places[3][16] __attribute__((aligned(64))) = {
        {0, 8, 16, 24, 0, 0, 1, 9, 17, 25, 0, 0, 2, 10, 18, 26},
        {0, 0, 3, 11, 19, 27, 0, 0, 4, 12, 20, 28, 0, 0, 5, 13},
        {21, 29, 0, 0, 6, 14, 22, 30, 0, 0, 7, 15, 23, 31, 0, 0}};
    static const int32_t third_places[3][16] __attribute__((aligned(64))) = {
        {0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 1, 9, 0, 0, 0, 0},
        {2, 10, 0, 0, 0, 0, 3, 11, 0, 0, 0, 0, 4, 12, 0, 0},
        {0, 0, 5, 13, 0, 0, 0, 0, 6, 14, 0, 0, 0, 0, 7, 15}};
    const __mmask16 are_third[3] = {0x0c30, 0x30c3, 0xc30c};
    for (int i = 0; i < 3; i++) {
        const __m512i both = _mm512_permutex2var_epi32(pairs[0], _mm512_load_si512(places[i]), pairs[1]);
        _mm512_storeu_si512(block + 64 * i, _mm512_mask_permutexvar_epi32(both, are_third[i], _mm512_load_si512(third_places[i]), pairs[2]));
    }
}

/// A block of a panel's rows: the same bits as `vitrail_matvec` has them. Returns the rows that are too large to have a scale.
INLINE __mmask8 pack_block(const panel_source *from, const bool is_narrow, const bool is_whole, int terms, int offset, char *block) {
    const __m512i no_sign = _mm512_set1_epi32(0x7fffffff);
    __m512i magnitudes[8], sums[8];
    for (int i = 0; i < 8; i++) magnitudes[i] = sums[i] = _mm512_setzero_si512();
    for (int term = 0; term < terms; term += 16) {
#pragma clang loop unroll(full)
        for (int i = 0; i < PANEL_ROWS; i++) {
            const __m512i bits = _mm512_castps_si512(terms_at(from, is_narrow, is_whole, i, term));
            magnitudes[i] = _mm512_max_epu32(magnitudes[i], _mm512_and_si512(bits, no_sign));
        }
    }
    const __m256i rounding = _mm256_set1_epi32(BLOCK_EXPONENT_ROUNDING), zero = _mm256_set1_epi32(BLOCK_EXPONENT_ZERO);
    const __m256i least = _mm256_set1_epi32(BLOCK_EXPONENT_LEAST), most = _mm256_set1_epi32(BLOCK_EXPONENT_MOST);
    const __m256i found = _mm256_srli_epi32(_mm256_add_epi32(largest_of_rows(magnitudes), rounding), 23);
    const __m256i exponents = _mm256_min_epi32(_mm256_max_epi32(found, least), most);
    const __m256i inverse_bits = _mm256_slli_epi32(_mm256_sub_epi32(_mm256_add_epi32(zero, _mm256_set1_epi32(127)), exponents), 23);
    const __m512 inverses = _mm512_castps256_ps512(_mm256_castsi256_ps(inverse_bits));
    for (int term = 0; term < terms; term += 32) {
        __m256i codes[PANEL_ROWS];
#pragma clang loop unroll(full)
        for (int i = 0; i < PANEL_ROWS; i++) {
            const __m512 inverse = _mm512_permutexvar_ps(_mm512_set1_epi32(i), inverses);
            const __m512i first = _mm512_cvtps_epi32(_mm512_mul_ps(terms_at(from, is_narrow, is_whole, i, term), inverse));
            const __m512i second = _mm512_cvtps_epi32(_mm512_mul_ps(terms_at(from, is_narrow, is_whole, i, term + 16), inverse));
            codes[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm512_cvtepi32_epi8(first)),
                                               _mm512_cvtepi32_epi8(second), 1);
            sums[i] = _mm512_add_epi32(sums[i], _mm512_add_epi32(first, second));
        }
        store_quads(codes, block + PANEL_ROWS * term);
    }
    const __mmask8 exist = (1 << PANEL_ROWS) - 1;
    _mm256_mask_storeu_epi32(block + panel_exponents_at(terms), exist, _mm256_slli_epi32(_mm256_sub_epi32(exponents, least), 23));
    // Modulo 2^32: what is not a number leaves codes that overflow.
    const __m256i corrections = _mm256_mullo_epi32(sums_of_rows(sums), _mm256_set1_epi32(-offset));
    _mm256_mask_storeu_epi32(block + panel_offsets_at(terms), exist, corrections);
    return _mm256_cmpgt_epi32_mask(found, most);
}

INLINE void pack_rows(
    vitrail_weight_format format, const char *x, const bool is_narrow, int64_t ldx, int rows, int64_t k, char *panel) {
    const int64_t element = is_narrow ? 2 : 4;
    const int terms = terms_of(format), offset = offset_of(format);
    __mmask8 are_beyond = 0;
    char *block = panel + PANEL_HEADER;
    for (int64_t term = 0; term < k; term += terms, block += panel_block_bytes(terms)) {
        const panel_source from = {x + term * element, ldx * element, k - term, rows};
        const bool is_whole = rows == PANEL_ROWS && terms <= from.left;
        are_beyond |= is_whole ? pack_block(&from, is_narrow, true, terms, offset, block)
                               : pack_block(&from, is_narrow, false, terms, offset, block);
    }
    const __mmask8 exist = (1 << PANEL_ROWS) - 1;
    _mm256_mask_storeu_ps(panel, exist, _mm256_maskz_mov_ps(are_beyond, _mm256_set1_ps(NAN)));
}

void quantized_pack_panel(
    vitrail_weight_format format, const void *x, vitrail_element type, int64_t ldx, int rows, int64_t k, char *panel) {
    if (type == VITRAIL_BFLOAT16) pack_rows(format, x, true, ldx, rows, k, panel);
    else pack_rows(format, x, false, ldx, rows, k, panel);
}

#pragma clang attribute pop

#endif
