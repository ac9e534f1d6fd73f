// Float32 operands as integers of 24 bits in three slices of eight, packed, with a scale for each row (column).
//
// Terms i, 16 + i, 32 + i and 48 + i of a block stand beside each other, in A as in B: four vectors become one of bytes
// in each slice by shifts and blends, and nothing has to be shuffled.

#include "product_bfloat16.h"
#include "product_transpose.h"

#if PRODUCT_X86

#define INLINE TARGET_AVX512_BF16 __attribute__((always_inline)) static inline

enum { QUARTER = SLICE_TERMS / 4, ROW_WORDS = SLICE_TERMS / 2, SLICE = 16 * ROW_WORDS };

INLINE __mmask16 mask_16(int64_t count) { return (__mmask16)(count >= 16 ? 0xffff : count <= 0 ? 0 : (1 << count) - 1); }

/// 16 contiguous elements as float32; lanes outside of `mask` are zeros and not read.
INLINE __m512 load_16(const void *data, ptrdiff_t index, const vitrail_element type, __mmask16 mask) {
    if (type == VITRAIL_FLOAT32) return _mm512_maskz_loadu_ps(mask, (const float *)data + index);
    const __m256i values = _mm256_maskz_loadu_epi16(mask, (const uint16_t *)data + index);
    return (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(values), 16);
}

/// The greater magnitudes, as bits: what is not finite is greater than any number.
INLINE __m512i greater(__m512i magnitudes, __m512 values) {
    return _mm512_max_epu32(magnitudes, _mm512_and_si512((__m512i)values, _mm512_set1_epi32(0x7fffffff)));
}

/// From the greatest magnitudes: a power of two that makes integers of up to 127 * 2^16 + 127 * 2^8 + 127 of rows, and
/// in `scale` what turns them back, 2^21 times greater so that it is never out of range. A row that is not finite has scale NaN.
INLINE __m512 integers_scale(__m512i magnitudes, __m512 *scale) {
    const __mmask16 finite = _mm512_cmplt_epu32_mask(magnitudes, _mm512_set1_epi32(0x7f800000));
    // The greatest 2^-7 and less below a power of two would round beyond the first slice.
    const __m512 padded = _mm512_mul_ps((__m512)magnitudes, _mm512_set1_ps(1.0078125f));
    __m512i exponent = _mm512_srli_epi32((__m512i)padded, 23);
    exponent = _mm512_max_epu32(_mm512_maskz_mov_epi32(finite, exponent), _mm512_set1_epi32(22));
    const __m512i one = _mm512_set1_epi32(1), sum = _mm512_set1_epi32(276);
    const __m512i back = _mm512_slli_epi32(_mm512_sub_epi32(exponent, one), 23);
    *scale = (__m512)_mm512_mask_mov_epi32(_mm512_set1_epi32(0x7fc00000), finite, back);
    return (__m512)_mm512_maskz_slli_epi32(finite, _mm512_sub_epi32(sum, exponent), 23);
}

/// Four vectors as three of bytes, the greatest first: each lane of a slice holds four terms.
INLINE void slice(__m512i slices[SLICES], const __m512 values[4], __m512 scale) {
    const __m512i halfway = _mm512_set1_epi32(0x808080), signs = _mm512_set1_epi32((int)0x80808080);
    const __mmask32 upper_words = 0xaaaaaaaau;
    const __mmask64 upper_bytes = 0xaaaaaaaaaaaaaaaau;
    __m512i x[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        x[i] = _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(values[i], scale)), halfway);
    }
    const __m512i low = _mm512_mask_blend_epi16(upper_words, x[0], _mm512_slli_epi32(x[1], 16));
    const __m512i high = _mm512_mask_blend_epi16(upper_words, _mm512_srli_epi32(x[0], 16), x[1]);
    const __m512i next_low = _mm512_mask_blend_epi16(upper_words, x[2], _mm512_slli_epi32(x[3], 16));
    const __m512i next_high = _mm512_mask_blend_epi16(upper_words, _mm512_srli_epi32(x[2], 16), x[3]);
    slices[0] = _mm512_mask_blend_epi8(upper_bytes, high, _mm512_slli_epi32(next_high, 8));
    slices[1] = _mm512_mask_blend_epi8(upper_bytes, _mm512_srli_epi32(low, 8), next_low);
    slices[2] = _mm512_mask_blend_epi8(upper_bytes, low, _mm512_slli_epi32(next_low, 8));
#pragma clang loop unroll(full)
    for (int i = 0; i < SLICES; i++) slices[i] = _mm512_xor_si512(slices[i], signs);
}

/// Block `start` of a row whose terms are neighbours.
INLINE void slice_row(__m512i slices[SLICES], const void *row, int64_t start, int64_t terms, const vitrail_element type,
                      __m512 scale) {
    __m512 values[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        const int64_t at = start + i * QUARTER;
        values[i] = load_16(row, at < terms ? at : 0, type, mask_16(terms - at));
    }
    slice(slices, values, scale);
}

/// Term `start` + i, 16 + i... of 16 neighbouring rows (columns) from `first` on, where terms lie `stride` apart.
INLINE void slice_across(__m512i slices[SLICES], const void *data, int64_t stride, int64_t start, int64_t terms,
                         ptrdiff_t first, const vitrail_element type, __mmask16 mask, __m512 scale) {
    __m512 values[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        const int64_t at = start + i * QUARTER;
        values[i] = load_16(data, at < terms ? at * stride + first : 0, type, at < terms ? mask : 0);
    }
    slice(slices, values, scale);
}

INLINE __m512 row_scale(const void *row, int64_t terms, const vitrail_element type, float *scale) {
    __m512i greatest = _mm512_setzero_si512(), second = greatest;
    int64_t at = 0;
    for (; at + 32 <= terms; at += 32) {
        greatest = greater(greatest, load_16(row, at, type, 0xffff));
        second = greater(second, load_16(row, at + 16, type, 0xffff));
    }
    for (; at < terms; at += 16) greatest = greater(greatest, load_16(row, at, type, mask_16(terms - at)));
    __m512 back;
    const int magnitude = (int)_mm512_reduce_max_epu32(_mm512_max_epu32(greatest, second));
    const __m512 result = integers_scale(_mm512_set1_epi32(magnitude), &back);
    *scale = _mm512_cvtss_f32(back);
    return result;
}

INLINE __m512 scales_across(const void *data, int64_t stride, int64_t terms, ptrdiff_t first,
                            const vitrail_element type, __mmask16 mask, float *scales) {
    __m512i greatest = _mm512_setzero_si512(), second = greatest;
    int64_t at = 0;
    for (; at + 2 <= terms; at += 2) {
        greatest = greater(greatest, load_16(data, at * stride + first, type, mask));
        second = greater(second, load_16(data, (at + 1) * stride + first, type, mask));
    }
    if (at < terms) greatest = greater(greatest, load_16(data, at * stride + first, type, mask));
    __m512 back;
    const __m512 result = integers_scale(_mm512_max_epu32(greatest, second), &back);
    _mm512_storeu_ps(scales, back);
    return result;
}

/// Stores 16 lines of 16 lanes the other way round.
INLINE void store_transposed(uint16_t *out, __m512i lines[SLICES][16]) {
#pragma clang loop unroll(full)
    for (int i = 0; i < SLICES; i++) {
        transpose_rows_16(lines[i]);
#pragma clang loop unroll(full)
        for (int j = 0; j < 16; j++) _mm512_store_si512(out + i * SLICE + j * ROW_WORDS, lines[i][j]);
    }
}

/// Asks for a block of a row: a group's rows are asked for while the group before is packed, since the core's own
/// prefetching sees no rows coming. A row that does not exist is asked for in vain.
INLINE void ask_for_block(const char *row, int64_t block, int64_t element) {
    for (int64_t at = 0; at < SLICE_TERMS * element; at += 64) {
        __builtin_prefetch(row + block * SLICE_TERMS * element + at, 0, 2);
    }
}

/// 16 rows or columns whose terms are neighbours: to rows of a tile, or across them.
INLINE void pack_lines(uint16_t *out, ptrdiff_t block_step, float *scales, const void *data, int64_t stride,
                       const vitrail_element type, int count, int64_t terms, int64_t blocks, const bool across) {
    const int64_t element = type == VITRAIL_BFLOAT16 ? 2 : 4;
    if (!across) {
        for (int i = 0; i < 16; i++) {
            const int64_t existing = i < count ? terms : 0;
            const void *row = (const char *)data + (i < count ? i * stride * element : 0);
            const __m512 scale = row_scale(row, existing, type, scales + i);
            for (int64_t block = 0; block < blocks; block++) {
                ask_for_block((const char *)row + 16 * stride * element, block, element);
                __m512i slices[SLICES];
                slice_row(slices, row, block * SLICE_TERMS, existing, type, scale);
                for (int j = 0; j < SLICES; j++) {
                    _mm512_store_si512(out + block * block_step + j * SLICE + i * ROW_WORDS, slices[j]);
                }
            }
        }
        return;
    }
    __m512 to_integers[16];
    for (int i = 0; i < 16; i++) {
        const void *row = (const char *)data + (i < count ? i * stride * element : 0);
        to_integers[i] = row_scale(row, i < count ? terms : 0, type, scales + i);
    }
    for (int64_t block = 0; block < blocks; block++, out += block_step) {
        __m512i lines[SLICES][16];
        for (int i = 0; i < 16; i++) {
            __m512i slices[SLICES];
            const void *row = (const char *)data + (i < count ? i * stride * element : 0);
            ask_for_block((const char *)row + PANEL_COLUMNS * stride * element, block, element);
            slice_row(slices, row, block * SLICE_TERMS, i < count ? terms : 0, type, to_integers[i]);
            for (int j = 0; j < SLICES; j++) lines[j][i] = slices[j];
        }
        store_transposed(out, lines);
    }
}

/// 16 rows or columns whose terms lie apart.
INLINE void pack_across(uint16_t *out, ptrdiff_t block_step, float *scales, const void *data, int64_t stride,
                        ptrdiff_t first, const vitrail_element type, int count, int64_t terms, int64_t blocks,
                        const bool to_rows) {
    const __mmask16 mask = mask_16(count);
    const __m512 scale = scales_across(data, stride, terms, first, type, mask, scales);
    for (int64_t block = 0; block < blocks; block++, out += block_step) {
        __m512i lines[SLICES][16];
        for (int i = 0; i < 16; i++) {
            __m512i slices[SLICES];
            slice_across(slices, data, stride, block * SLICE_TERMS + i, terms, first, type, mask, scale);
            for (int j = 0; j < SLICES; j++) {
                if (to_rows) lines[j][i] = slices[j];
                else _mm512_store_si512(out + j * SLICE + i * ROW_WORDS, slices[j]);
            }
        }
        if (to_rows) store_transposed(out, lines);
    }
}

INLINE void pack_a(uint16_t *out, const void *a, int64_t lda, const bool transposed, const vitrail_element type,
                   int rows, int64_t terms, int64_t blocks) {
    enum { BLOCK = SLICES * SLICE };
    float *scales = (float *)(out + blocks * BLOCK);
    terms = least(terms, blocks * SLICE_TERMS);
    if (transposed) {
        pack_across(out, BLOCK, scales, a, lda, 0, type, rows, terms, blocks, true);
    } else {
        pack_lines(out, BLOCK, scales, a, lda, type, rows, terms, blocks, false);
    }
}

INLINE void pack_b(uint16_t *out, const void *b, int64_t ldb, const bool transposed, const vitrail_element type,
                   int columns, int64_t terms, int64_t blocks) {
    enum { HALF = SLICES * SLICE, BLOCK = 2 * HALF };
    float *scales = (float *)(out + blocks * BLOCK);
    const int64_t element = type == VITRAIL_BFLOAT16 ? 2 : 4;
    terms = least(terms, blocks * SLICE_TERMS);
    for (int first = 0; first < PANEL_COLUMNS; first += 16) {
        uint16_t *const to = out + first / 16 * HALF;
        const int count = columns > first ? columns - first : 0;
        if (transposed) {
            const void *const from = (const char *)b + (count ? first * ldb * element : 0);
            pack_lines(to, BLOCK, scales + first, from, ldb, type, count, terms, blocks, true);
        } else {
            pack_across(to, BLOCK, scales + first, b, ldb, first, type, count, terms, blocks, false);
        }
    }
}

TARGET_AVX512_BF16 void slices_pack_a(uint16_t *out, const void *a, int64_t lda, bool transposed,
                                      vitrail_element type, int rows, int64_t terms, int64_t blocks) {
#define A(t, e) pack_a(out, a, lda, t, e, rows, terms, blocks)
    SPECIALISE_PACKER(A)
}

TARGET_AVX512_BF16 void slices_pack_b(uint16_t *out, const void *b, int64_t ldb, bool transposed,
                                      vitrail_element type, int columns, int64_t terms, int64_t blocks) {
#define B(t, e) pack_b(out, b, ldb, t, e, columns, terms, blocks)
    SPECIALISE_PACKER(B)
}

#endif
