// Rounding to bfloat16 and packing in one pass over an operand.

#include "product_bfloat16.h"
#include "product_transpose.h"

static uint16_t rounded(const void *data, ptrdiff_t index, vitrail_element type) {
    return type == VITRAIL_BFLOAT16 ? ((const uint16_t *)data)[index]
                                    : bfloat16_from_float(((const float *)data)[index]);
}

void bfloat16_pack_a_plain(uint16_t *out, int group, const void *a, int64_t lda, bool transposed,
                           vitrail_element type, int rows, int64_t terms, int64_t blocks) {
    for (int64_t block = 0; block < blocks; block++) {
        for (int i = 0; i < group; i++) {
            for (int64_t p = block * BLOCK_TERMS; p < (block + 1) * BLOCK_TERMS; p++) {
                *out++ = i < rows && p < terms ? rounded(a, transposed ? p * lda + i : i * lda + p, type) : 0;
            }
        }
    }
}

void bfloat16_pack_b_plain(uint16_t *out, const void *b, int64_t ldb, bool transposed, vitrail_element type,
                           int columns, int64_t terms, int64_t blocks) {
    for (int64_t pair = 0; pair < blocks * BLOCK_TERMS / 2; pair++) {
        for (int j = 0; j < PANEL_COLUMNS; j++) {
            for (int64_t p = 2 * pair; p < 2 * pair + 2; p++) {
                *out++ = j < columns && p < terms ? rounded(b, transposed ? j * ldb + p : p * ldb + j, type) : 0;
            }
        }
    }
}

#if PRODUCT_X86

#define INLINE TARGET_AVX512_BF16 __attribute__((always_inline)) static inline

/// What rounding to bfloat16 left of 16 values.
INLINE __m512 remainder_16(__m512 values, __m256i rounded) {
    return _mm512_sub_ps(values, _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(rounded), 16)));
}

/// Two vectors of values as one of bfloat16, in `parts` parts of which each is what the ones before left, rounded.
INLINE void round_parts(__m512i out[SPLIT_PARTS], const int parts, __m512 low, __m512 high) {
    out[0] = (__m512i)_mm512_cvtne2ps_pbh(high, low);
#pragma clang loop unroll(full)
    for (int part = 1; part < parts; part++) {
        low = remainder_16(low, _mm512_castsi512_si256(out[part - 1]));
        high = remainder_16(high, _mm512_extracti64x4_epi64(out[part - 1], 1));
        out[part] = (__m512i)_mm512_cvtne2ps_pbh(high, low);
    }
}

INLINE void zero_parts(__m512i out[SPLIT_PARTS], int first, const int parts) {
#pragma clang loop unroll(full)
    for (int part = first; part < parts; part++) out[part] = _mm512_setzero_si512();
}

/// 32 contiguous elements as bfloat16, in parts; lanes outside of `mask` are zeros and not read.
INLINE void load_32(__m512i out[SPLIT_PARTS], const int parts, const void *data, ptrdiff_t index,
                    vitrail_element type, __mmask32 mask) {
    if (type == VITRAIL_BFLOAT16) {
        out[0] = _mm512_maskz_loadu_epi16(mask, (const uint16_t *)data + index);
        zero_parts(out, 1, parts);
        return;
    }
    const float *values = (const float *)data + index;
    round_parts(out, parts, _mm512_maskz_loadu_ps((__mmask16)mask, values),
                _mm512_maskz_loadu_ps((__mmask16)(mask >> 16), values + 16));
}

/// Lane j holds elements j of two rows, the first row's in the lower half; in parts.
INLINE void interleave_16(__m512i out[SPLIT_PARTS], const int parts, const void *data, ptrdiff_t first,
                          ptrdiff_t second, bool has_second, vitrail_element type, __mmask16 mask) {
    const __mmask16 second_mask = has_second ? mask : 0;
    if (type == VITRAIL_BFLOAT16) {
        const __m256i low = _mm256_maskz_loadu_epi16(mask, (const uint16_t *)data + first);
        const __m256i high = _mm256_maskz_loadu_epi16(second_mask, (const uint16_t *)data + second);
        out[0] = _mm512_or_si512(_mm512_cvtepu16_epi32(low), _mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16));
        zero_parts(out, 1, parts);
        return;
    }
    round_parts(out, parts, _mm512_maskz_loadu_ps(mask, (const float *)data + first),
                _mm512_maskz_loadu_ps(second_mask, (const float *)data + second));
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
#pragma clang loop unroll(full)
    for (int part = 0; part < parts; part++) out[part] = _mm512_permutexvar_epi16(order, out[part]);
}

INLINE __mmask32 mask_32(int64_t count) { return count >= 32 ? 0xffffffffu : count <= 0 ? 0 : (1u << count) - 1; }
INLINE __mmask16 mask_16(int64_t count) { return (__mmask16)(count >= 16 ? 0xffff : count <= 0 ? 0 : (1 << count) - 1); }

INLINE void pack_a(uint16_t *out, const int group, const int parts, const void *a, int64_t lda,
                   const bool transposed, const vitrail_element type, int rows, int64_t terms, int64_t blocks) {
    const int part_size = group * BLOCK_TERMS;
    __m512i values[SPLIT_PARTS];
    for (int64_t block = 0; block < blocks; block++, out += parts * part_size) {
        const int64_t start = block * BLOCK_TERMS;
        if (!transposed) {
            const __mmask32 mask = mask_32(terms - start);
#pragma clang loop unroll_count(4)
            for (int i = 0; i < rows; i++) {
                load_32(values, parts, a, i * lda + start, type, mask);
                for (int part = 0; part < parts; part++) {
                    _mm512_storeu_si512(out + part * part_size + i * BLOCK_TERMS, values[part]);
                }
            }
            for (int i = rows; i < group; i++) {
                for (int part = 0; part < parts; part++) {
                    _mm512_storeu_si512(out + part * part_size + i * BLOCK_TERMS, _mm512_setzero_si512());
                }
            }
            continue;
        }
        __m512i pairs[SPLIT_PARTS][16];
        const __mmask16 mask = mask_16(rows);
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; i++) {
            const int64_t p = start + 2 * i;
            zero_parts(values, 0, parts);
            if (p < terms) {
                interleave_16(values, parts, a, p * lda, (p + 1) * lda, p + 1 < terms, type, mask);
            }
            for (int part = 0; part < parts; part++) pairs[part][i] = values[part];
        }
#pragma clang loop unroll(full)
        for (int part = 0; part < parts; part++) {
            transpose_rows_16(pairs[part]);
            for (int i = 0; i < group; i++) {
                _mm512_storeu_si512(out + part * part_size + i * BLOCK_TERMS, pairs[part][i]);
            }
        }
    }
}

INLINE void pack_b(uint16_t *out, const int parts, const void *b, int64_t ldb, const bool transposed,
                   const vitrail_element type, int columns, int64_t terms, int64_t blocks) {
    enum { PART_SIZE = PANEL_COLUMNS * BLOCK_TERMS, PAIR_SIZE = 2 * PANEL_COLUMNS };
    for (int64_t block = 0; block < blocks; block++, out += parts * PART_SIZE) {
        const int64_t start = block * BLOCK_TERMS;
        for (int half = 0; half < 2; half++) {
            uint16_t *const to = out + half * PANEL_COLUMNS;
            if (!transposed) {
                const __mmask16 mask = mask_16(columns - 16 * half);
                __m512i values[SPLIT_PARTS];
                for (int pair = 0; pair < BLOCK_TERMS / 2; pair++) {
                    const int64_t p = start + 2 * pair;
                    zero_parts(values, 0, parts);
                    if (p < terms) {
                        interleave_16(values, parts, b, p * ldb + 16 * half, (p + 1) * ldb + 16 * half,
                                      p + 1 < terms, type, mask);
                    }
                    for (int part = 0; part < parts; part++) {
                        _mm512_storeu_si512(to + part * PART_SIZE + pair * PAIR_SIZE, values[part]);
                    }
                }
                continue;
            }
            const __mmask32 mask = mask_32(terms - start);
            __m512i lines[SPLIT_PARTS][16], values[SPLIT_PARTS];
#pragma clang loop unroll(full)
            for (int j = 0; j < 16; j++) {
                const int column = 16 * half + j;
                zero_parts(values, 0, parts);
                if (column < columns) load_32(values, parts, b, column * ldb + start, type, mask);
                for (int part = 0; part < parts; part++) lines[part][j] = values[part];
            }
#pragma clang loop unroll(full)
            for (int part = 0; part < parts; part++) {
                transpose_rows_16(lines[part]);
                for (int i = 0; i < 16; i++) {
                    _mm512_storeu_si512(to + part * PART_SIZE + i * PAIR_SIZE, lines[part][i]);
                }
            }
        }
    }
}

// The compiler specialises each combination of layout and type.
#define SPECIALISE(call)                                                     \
    if (transposed) {                                                        \
        if (type == VITRAIL_BFLOAT16) call(true, VITRAIL_BFLOAT16);          \
        else call(true, VITRAIL_FLOAT32);                                    \
    } else {                                                                 \
        if (type == VITRAIL_BFLOAT16) call(false, VITRAIL_BFLOAT16);         \
        else call(false, VITRAIL_FLOAT32);                                   \
    }

// The packers of a group of rows, or of a panel of columns, by how many parts a value takes.
#define PACKER(name, count_name, call)                                                                    \
    TARGET_AVX512_BF16 void name(uint16_t *out, const void *from, int64_t stride, bool transposed,       \
                                 vitrail_element type, int count_name, int64_t terms, int64_t blocks) {  \
        SPECIALISE(call)                                                                                 \
    }

#define A_14(t, e) pack_a(out, 14, 1, from, stride, t, e, rows, terms, blocks)
#define A_16(t, e) pack_a(out, 16, 1, from, stride, t, e, rows, terms, blocks)
#define A_16_SPLIT(t, e) pack_a(out, 16, SPLIT_PARTS, from, stride, t, e, rows, terms, blocks)
#define B(t, e) pack_b(out, 1, from, stride, t, e, columns, terms, blocks)
#define B_SPLIT(t, e) pack_b(out, SPLIT_PARTS, from, stride, t, e, columns, terms, blocks)

PACKER(bfloat16_pack_a_14, rows, A_14)
PACKER(bfloat16_pack_a_16, rows, A_16)
PACKER(bfloat16_pack_b, columns, B)
PACKER(split_pack_a_16, rows, A_16_SPLIT)
PACKER(split_pack_b, columns, B_SPLIT)

#endif
