// Rounding to bfloat16 and packing in one pass over an operand.

#include "product_bfloat16.h"
#include "product_transpose.h"

#if PRODUCT_X86

#define INLINE TARGET_AVX512_BF16 __attribute__((always_inline)) static inline

/// 32 contiguous elements as bfloat16; lanes outside of `mask` are zeros and not read.
INLINE __m512i load_32(const void *data, ptrdiff_t index, const vitrail_element type, __mmask32 mask) {
    if (type == VITRAIL_BFLOAT16) return _mm512_maskz_loadu_epi16(mask, (const uint16_t *)data + index);
    const float *values = (const float *)data + index;
    const __m512 low = _mm512_maskz_loadu_ps((__mmask16)mask, values);
    return (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps((__mmask16)(mask >> 16), values + 16), low);
}

/// Lane j holds elements j of two rows, the first row's in the lower half.
INLINE __m512i interleave_16(const void *data, ptrdiff_t first, ptrdiff_t second, bool has_second,
                             const vitrail_element type, __mmask16 mask) {
    const __mmask16 second_mask = has_second ? mask : 0;
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    if (type == VITRAIL_BFLOAT16) {
        const __m256i low = _mm256_maskz_loadu_epi16(mask, (const uint16_t *)data + first);
        const __m256i high = _mm256_maskz_loadu_epi16(second_mask, (const uint16_t *)data + second);
        return _mm512_permutexvar_epi16(order, _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1));
    }
    const __m512 low = _mm512_maskz_loadu_ps(mask, (const float *)data + first);
    const __m512 high = _mm512_maskz_loadu_ps(second_mask, (const float *)data + second);
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

INLINE __mmask32 mask_32(int64_t count) { return count >= 32 ? 0xffffffffu : count <= 0 ? 0 : (1u << count) - 1; }
INLINE __mmask16 mask_16(int64_t count) { return (__mmask16)(count >= 16 ? 0xffff : count <= 0 ? 0 : (1 << count) - 1); }

/// How far ahead lines are asked for: the cores' own prefetching does not keep up with so many rows side by side.
enum { BLOCKS_AHEAD = 2, PANELS_AHEAD = 2, ROWS_AHEAD = 32 };

/// Whether packing asks for lines, and into the second-level cache where the first would not take them (`vitrail_cpu_asks_far`).
typedef enum { SILENT, NEAR, FAR } asking;

INLINE void ask_for(const void *data, ptrdiff_t index, const vitrail_element type, const asking asks) {
    if (asks == FAR) __builtin_prefetch(element_at(data, index, type), 0, 2);
    if (asks == NEAR) __builtin_prefetch(element_at(data, index, type));
}

/// A block of terms of a line.
INLINE void ask_for_block(const void *data, ptrdiff_t index, const vitrail_element type, const asking asks) {
    ask_for(data, index, type, asks);
    if (type == VITRAIL_FLOAT32) ask_for(data, index + BLOCK_TERMS / 2, type, asks);
}

INLINE void pack_a(uint16_t *out, const int group, const void *a, int64_t lda, const bool transposed,
                   const vitrail_element type, int rows, int64_t terms, int64_t blocks, const asking asks) {
    for (int64_t block = 0; block < blocks; block++, out += group * BLOCK_TERMS) {
        const int64_t start = block * BLOCK_TERMS;
        if (!transposed) {
            const __mmask32 mask = mask_32(terms - start);
#pragma clang loop unroll_count(4)
            for (int i = 0; i < rows; i++) {
                ask_for_block(a, i * lda + start + BLOCKS_AHEAD * BLOCK_TERMS, type, asks);
                _mm512_storeu_si512(out + i * BLOCK_TERMS, load_32(a, i * lda + start, type, mask));
            }
            for (int i = rows; i < group; i++) _mm512_storeu_si512(out + i * BLOCK_TERMS, _mm512_setzero_si512());
            continue;
        }
        __m512i pairs[16];
        const __mmask16 mask = mask_16(rows);
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; i++) {
            const int64_t p = start + 2 * i;
            pairs[i] = p < terms ? interleave_16(a, p * lda, (p + 1) * lda, p + 1 < terms, type, mask)
                                 : _mm512_setzero_si512();
        }
        transpose_rows_16(pairs);
        for (int i = 0; i < group; i++) _mm512_storeu_si512(out + i * BLOCK_TERMS, pairs[i]);
    }
}

INLINE void pack_b(uint16_t *out, const void *b, int64_t ldb, const bool transposed, const vitrail_element type,
                   int columns, int64_t terms, int64_t blocks, const asking asks) {
    enum { PAIR_SIZE = 2 * PANEL_COLUMNS };
    for (int64_t block = 0; block < blocks; block++, out += PANEL_COLUMNS * BLOCK_TERMS) {
        const int64_t start = block * BLOCK_TERMS;
        for (int half = 0; half < 2; half++) {
            uint16_t *const to = out + half * PANEL_COLUMNS;
            if (!transposed) {
                const __mmask16 mask = mask_16(columns - 16 * half);
                for (int pair = 0; pair < BLOCK_TERMS / 2; pair++) {
                    const int64_t p = start + 2 * pair, first = p * ldb + 16 * half;
                    ask_for(b, first + PANELS_AHEAD * PANEL_COLUMNS, type, asks);
                    ask_for(b, first + ldb + PANELS_AHEAD * PANEL_COLUMNS, type, asks);
                    const __m512i values = p < terms ? interleave_16(b, first, first + ldb, p + 1 < terms, type, mask)
                                                     : _mm512_setzero_si512();
                    _mm512_storeu_si512(to + pair * PAIR_SIZE, values);
                }
                continue;
            }
            const __mmask32 mask = mask_32(terms - start);
            __m512i lines[16];
#pragma clang loop unroll(full)
            for (int j = 0; j < 16; j++) {
                const int column = 16 * half + j;
                ask_for_block(b, column * ldb + start + BLOCKS_AHEAD * BLOCK_TERMS, type, asks);
                lines[j] = column < columns ? load_32(b, column * ldb + start, type, mask) : _mm512_setzero_si512();
            }
            transpose_rows_16(lines);
            for (int i = 0; i < 16; i++) _mm512_storeu_si512(to + i * PAIR_SIZE, lines[i]);
        }
    }
}

// The packers of a group of rows, or of a panel of columns; those for tiles do not ask ahead.
#define PACKER(name, count_name, call)                                                                    \
    TARGET_AVX512_BF16 void name(uint16_t *out, const void *from, int64_t stride, bool transposed,       \
                                 vitrail_element type, int count_name, int64_t terms, int64_t blocks) {  \
        SPECIALISE_PACKER(call)                                                                          \
    }

INLINE void interleave(uint16_t *out, const int width, const void *from, int64_t stride, const vitrail_element type,
                       int columns, int64_t terms, int64_t blocks, const asking asks) {
    const __mmask16 low = mask_16(columns), high = mask_16(columns - 16);
    for (int64_t p = 0; p < blocks * BLOCK_TERMS; p += 2, out += 2 * width) {
        for (int64_t ahead = p + ROWS_AHEAD; ahead < p + ROWS_AHEAD + 2; ahead++) {
            ask_for(from, ahead * stride, type, asks);
            ask_for(from, ahead * stride + columns - 1, type, asks);
        }
        const bool exists = p < terms, is_whole = p + 1 < terms;
        const ptrdiff_t first = p * stride;
        _mm512_storeu_si512(out, exists ? interleave_16(from, first, first + stride, is_whole, type, low)
                                        : _mm512_setzero_si512());
        if (width <= 16) continue;
        _mm512_storeu_si512(out + 32, exists ? interleave_16(from, first + 16, first + stride + 16, is_whole, type, high)
                                             : _mm512_setzero_si512());
    }
}

TARGET_AVX512_BF16 void bfloat16_interleave(uint16_t *out, int width, const void *from, int64_t stride,
                                            vitrail_element type, int columns, int64_t terms, int64_t blocks) {
    const bool is_wide = width > 16, is_narrow = type == VITRAIL_BFLOAT16;
#define INTERLEAVE(asks)                                                                                          \
    if (is_wide && is_narrow) interleave(out, 32, from, stride, VITRAIL_BFLOAT16, columns, terms, blocks, asks);  \
    else if (is_wide) interleave(out, 32, from, stride, VITRAIL_FLOAT32, columns, terms, blocks, asks);           \
    else if (is_narrow) interleave(out, 14, from, stride, VITRAIL_BFLOAT16, columns, terms, blocks, asks);        \
    else interleave(out, 14, from, stride, VITRAIL_FLOAT32, columns, terms, blocks, asks)
    if (vitrail_cpu_asks_far()) {
        INTERLEAVE(FAR);
    } else {
        INTERLEAVE(NEAR);
    }
#undef INTERLEAVE
}

#define A_14(t, e)                                                                              \
    if (vitrail_cpu_asks_far()) pack_a(out, 14, from, stride, t, e, rows, terms, blocks, FAR);  \
    else pack_a(out, 14, from, stride, t, e, rows, terms, blocks, NEAR)
#define A_16(t, e) pack_a(out, 16, from, stride, t, e, rows, terms, blocks, SILENT)
#define B(t, e) pack_b(out, from, stride, t, e, columns, terms, blocks, SILENT)
#define B_ASKING(t, e)                                                                         \
    if (vitrail_cpu_asks_far()) pack_b(out, from, stride, t, e, columns, terms, blocks, FAR);  \
    else pack_b(out, from, stride, t, e, columns, terms, blocks, NEAR)

PACKER(bfloat16_pack_a_14, rows, A_14)
PACKER(bfloat16_pack_a_16, rows, A_16)
PACKER(bfloat16_pack_b, columns, B)
PACKER(bfloat16_pack_b_asking, columns, B_ASKING)

#endif
