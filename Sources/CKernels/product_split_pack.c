// Float32 operands taken apart into three bfloat16 parts and packed, in one pass over an operand.
//
// Terms j and 16 + j of a block stand beside each other, in A as in B, so that a vector of either half becomes half of
// the lanes by a shift, and nothing has to be shuffled.

#include "product_bfloat16.h"
#include "product_transpose.h"

#if PRODUCT_X86

#define INLINE TARGET_AVX512_BF16 __attribute__((always_inline)) static inline

enum { HALF_TERMS = BLOCK_TERMS / 2 };

INLINE __mmask16 mask_16(int64_t count) { return (__mmask16)(count >= 16 ? 0xffff : count <= 0 ? 0 : (1 << count) - 1); }

/// 16 contiguous elements as float32; lanes outside of `mask` are zeros and not read.
INLINE __m512i load_16(const void *data, ptrdiff_t index, const vitrail_element type, __mmask16 mask) {
    if (type == VITRAIL_FLOAT32) return _mm512_maskz_loadu_epi32(mask, (const float *)data + index);
    const __m256i values = _mm256_maskz_loadu_epi16(mask, (const uint16_t *)data + index);
    return _mm512_slli_epi32(_mm512_cvtepu16_epi32(values), 16);
}

/// The upper halves of two vectors' lanes: `low`'s below, `high`'s above.
INLINE __m512i halves(__m512i low, __m512i high) {
    return _mm512_mask_blend_epi16(0xaaaaaaaau, _mm512_srli_epi32(low, 16), high);
}

/// Two vectors of float32 as three of bfloat16 pairs: each part is what those before left, rounded to the nearest
/// (halves away from zero). Nothing is left behind the third: 24 bits are three times eight. What is infinite or NaN
/// becomes NaN in a part at least.
INLINE void split(__m512i parts[SPLIT_PARTS], __m512i low, __m512i high) {
    const __m512i half = _mm512_set1_epi32(0x8000), upper = _mm512_set1_epi32((int)0xffff0000);
#pragma clang loop unroll(full)
    for (int part = 0; part < SPLIT_PARTS - 1; part++) {
        const __m512i rounded_low = _mm512_add_epi32(low, half), rounded_high = _mm512_add_epi32(high, half);
        parts[part] = halves(rounded_low, rounded_high);
        low = (__m512i)_mm512_sub_ps((__m512)low, (__m512)_mm512_and_si512(rounded_low, upper));
        high = (__m512i)_mm512_sub_ps((__m512)high, (__m512)_mm512_and_si512(rounded_high, upper));
    }
    parts[SPLIT_PARTS - 1] = halves(low, high);
}

INLINE void store_parts(uint16_t *out, ptrdiff_t part_size, const __m512i parts[SPLIT_PARTS]) {
#pragma clang loop unroll(full)
    for (int part = 0; part < SPLIT_PARTS; part++) _mm512_store_si512(out + part * part_size, parts[part]);
}

/// Stores 16 pairs of terms by 16 rows (columns), which came as pairs of rows (columns), the other way round.
INLINE void store_transposed(uint16_t *out, ptrdiff_t part_size, ptrdiff_t step, __m512i lines[SPLIT_PARTS][16]) {
#pragma clang loop unroll(full)
    for (int part = 0; part < SPLIT_PARTS; part++) {
        transpose_rows_16(lines[part]);
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; i++) _mm512_store_si512(out + part * part_size + i * step, lines[part][i]);
    }
}

/// Terms p and p + 16 of `count` neighbours from `first` on, where terms lie `stride` apart.
INLINE void split_across(__m512i parts[SPLIT_PARTS], const void *data, int64_t stride, int64_t p, int64_t terms,
                         ptrdiff_t first, const vitrail_element type, __mmask16 mask) {
    const int64_t second = p + HALF_TERMS;
    split(parts, load_16(data, p < terms ? p * stride + first : 0, type, p < terms ? mask : 0),
          load_16(data, second < terms ? second * stride + first : 0, type, second < terms ? mask : 0));
}

INLINE void pack_a(uint16_t *out, const void *a, int64_t lda, const bool transposed, const vitrail_element type,
                   int rows, int64_t terms, int64_t blocks) {
    enum { GROUP = 16, PART_SIZE = GROUP * BLOCK_TERMS };
    for (int64_t block = 0; block < blocks; block++, out += SPLIT_PARTS * PART_SIZE) {
        const int64_t start = block * BLOCK_TERMS;
        __m512i parts[SPLIT_PARTS], lines[SPLIT_PARTS][16];
        const __mmask16 low = mask_16(terms - start), high = mask_16(terms - start - HALF_TERMS);
        const __mmask16 mask = mask_16(rows);
        for (int i = 0; i < GROUP; i++) {
            if (transposed) {
                split_across(parts, a, lda, start + i, terms, 0, type, mask);
                for (int part = 0; part < SPLIT_PARTS; part++) lines[part][i] = parts[part];
            } else {
                const ptrdiff_t at = i < rows ? i * lda + start : 0;
                split(parts, load_16(a, at, type, i < rows ? low : 0),
                      load_16(a, at + HALF_TERMS, type, i < rows ? high : 0));
                store_parts(out + i * BLOCK_TERMS, PART_SIZE, parts);
            }
        }
        if (transposed) store_transposed(out, PART_SIZE, BLOCK_TERMS, lines);
    }
}

INLINE void pack_b(uint16_t *out, const void *b, int64_t ldb, const bool transposed, const vitrail_element type,
                   int columns, int64_t terms, int64_t blocks) {
    enum { PART_SIZE = PANEL_COLUMNS * BLOCK_TERMS, PAIR_SIZE = 2 * PANEL_COLUMNS };
    for (int64_t block = 0; block < blocks; block++, out += SPLIT_PARTS * PART_SIZE) {
        const int64_t start = block * BLOCK_TERMS;
        const __mmask16 low = mask_16(terms - start), high = mask_16(terms - start - HALF_TERMS);
        for (int first = 0; first < PANEL_COLUMNS; first += 16) {
            __m512i parts[SPLIT_PARTS], lines[SPLIT_PARTS][16];
            const __mmask16 mask = mask_16(columns - first);
            for (int i = 0; i < 16; i++) {
                if (transposed) {
                    const bool exists = first + i < columns;
                    const ptrdiff_t at = exists ? (first + i) * ldb + start : 0;
                    split(parts, load_16(b, at, type, exists ? low : 0),
                          load_16(b, at + HALF_TERMS, type, exists ? high : 0));
                    for (int part = 0; part < SPLIT_PARTS; part++) lines[part][i] = parts[part];
                } else {
                    split_across(parts, b, ldb, start + i, terms, first, type, mask);
                    store_parts(out + 2 * first + i * PAIR_SIZE, PART_SIZE, parts);
                }
            }
            if (transposed) store_transposed(out + 2 * first, PART_SIZE, PAIR_SIZE, lines);
        }
    }
}

// The compiler specialises each combination of layout and type.
#define SPECIALISE(call)                                \
    if (transposed) {                                   \
        if (type == VITRAIL_BFLOAT16) {                 \
            call(true, VITRAIL_BFLOAT16);               \
        } else {                                        \
            call(true, VITRAIL_FLOAT32);                \
        }                                               \
    } else if (type == VITRAIL_BFLOAT16) {              \
        call(false, VITRAIL_BFLOAT16);                  \
    } else {                                            \
        call(false, VITRAIL_FLOAT32);                   \
    }

TARGET_AVX512_BF16 void split_pack_a_16(uint16_t *out, const void *a, int64_t lda, bool transposed,
                                        vitrail_element type, int rows, int64_t terms, int64_t blocks) {
#define A(t, e) pack_a(out, a, lda, t, e, rows, terms, blocks)
    SPECIALISE(A)
}

TARGET_AVX512_BF16 void split_pack_b(uint16_t *out, const void *b, int64_t ldb, bool transposed,
                                     vitrail_element type, int columns, int64_t terms, int64_t blocks) {
#define B(t, e) pack_b(out, b, ldb, t, e, columns, terms, blocks)
    SPECIALISE(B)
}

#endif
