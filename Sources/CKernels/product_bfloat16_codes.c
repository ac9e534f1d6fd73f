// 4-bit codes straight into panels of a bfloat16 product, so that nobody writes their weights down in between. What 16 codes mean
// is scaled and rounded once a block, and chosen from: the bits are those of `vitrail_widen_codes`.

#include "product_bfloat16.h"
#include "product_transpose.h"

#if PRODUCT_X86

#include "code_scale.h"

#define INLINE TARGET_AVX512_BF16 __attribute__((always_inline)) static inline

typedef struct {
    const vitrail_codes *of;
    const uint8_t *codes;
    int64_t block;  // its first
} coded_row;

static coded_row row_at(const vitrail_coded_rows *from, int64_t width, int64_t row) {
    for (; row >= from->rows; from++) row -= from->rows;
    const int64_t first = row * width;
    return (coded_row){&from->codes, from->codes.codes + first / 2, first / VITRAIL_CODE_BLOCK};
}

/// What the codes of a row's block mean that holds this weight.
INLINE __m256i meanings(const coded_row *row, int64_t index) {
    const __m512 scale = _mm512_set1_ps(code_scale(row->of, row->block + index / VITRAIL_CODE_BLOCK));
    return (__m256i)_mm512_cvtneps_pbh(_mm512_mul_ps(_mm512_loadu_ps(row->of->values), scale));
}

INLINE __m128i codes_at(const coded_row *row, int64_t index) {
    return _mm_loadu_si128((const __m128i *)(row->codes + index / 2));
}

/// Columns of the product are rows of codes.
INLINE void pack_lines(uint16_t *out, const vitrail_coded_rows *from, int64_t width, int64_t column, int64_t columns,
                       int64_t term, int64_t count) {
    enum { LINES = 16 };
    const __m512i second = _mm512_set1_epi32(15 << 16);
    for (int half = 0; half < PANEL_COLUMNS / LINES; half++) {
        coded_row rows[LINES];
        __m256i tables[LINES];
        const int64_t first = column + LINES * half, exist = least(LINES, columns - first);
        for (int64_t j = 0; j < exist; j++) rows[j] = row_at(from, width, first + j);
        for (int64_t block = 0; block < count; block++) {
            const int64_t index = term + block * BLOCK_TERMS;
            uint16_t *const to = out + (block * BLOCK_TERMS + half) * PANEL_COLUMNS;
            __m512i lines[LINES];
#pragma clang loop unroll(full)
            for (int j = 0; j < LINES; j++) {
                if (j >= exist) {
                    lines[j] = _mm512_setzero_si512();
                    continue;
                }
                if (block == 0 || index % VITRAIL_CODE_BLOCK == 0) tables[j] = meanings(&rows[j], index);
                // A byte's high half chooses the lower of two words, its low half the other.
                const __m512i bytes = _mm512_cvtepu8_epi32(codes_at(&rows[j], index));
                const __m512i chosen =
                    _mm512_or_si512(_mm512_srli_epi32(bytes, 4), _mm512_and_si512(_mm512_slli_epi32(bytes, 16), second));
                lines[j] = _mm512_permutexvar_epi16(chosen, _mm512_castsi256_si512(tables[j]));
            }
            transpose_rows_16(lines);
            for (int i = 0; i < LINES; i++) _mm512_storeu_si512(to + i * 2 * PANEL_COLUMNS, lines[i]);
        }
    }
}

/// Terms of the product are rows of codes: two of them are interleaved while they are chosen.
INLINE void pack_pairs(uint16_t *out, const vitrail_coded_rows *from, int64_t width, int64_t column, int64_t term,
                       int64_t terms, int64_t count) {
    const __m512i upper = _mm512_set1_epi32(16 << 16), low = _mm512_set1_epi16(15);
    for (int64_t p = term; p < term + count * BLOCK_TERMS; p += 2, out += 2 * PANEL_COLUMNS) {
        if (p >= terms) {
            _mm512_storeu_si512(out, _mm512_setzero_si512());
            _mm512_storeu_si512(out + PANEL_COLUMNS, _mm512_setzero_si512());
            continue;
        }
        const bool is_whole = p + 1 < terms;
        const coded_row one = row_at(from, width, p), two = is_whole ? row_at(from, width, p + 1) : one;
        const __m256i other = is_whole ? meanings(&two, column) : _mm256_setzero_si256();
        // The second row's words choose from the upper half.
        const __m512i table = _mm512_inserti64x4(_mm512_castsi256_si512(meanings(&one, column)), other, 1);
        // Bytes of both rows side by side, two of the first eight and two of the last eight in each lane of four.
        const __m128i a = codes_at(&one, column), b = codes_at(&two, column);
        const __m128i head = _mm_unpacklo_epi8(a, b), tail = _mm_unpackhi_epi8(a, b);
        const __m256i bytes = _mm256_set_m128i(_mm_unpackhi_epi32(head, tail), _mm_unpacklo_epi32(head, tail));
        const __m512i words = _mm512_cvtepu8_epi16(bytes);
        const __m512i even = _mm512_or_si512(_mm512_srli_epi16(words, 4), upper);
        const __m512i odd = _mm512_or_si512(_mm512_and_si512(words, low), upper);
        _mm512_storeu_si512(out, _mm512_permutexvar_epi16(_mm512_unpacklo_epi32(even, odd), table));
        _mm512_storeu_si512(out + PANEL_COLUMNS, _mm512_permutexvar_epi16(_mm512_unpackhi_epi32(even, odd), table));
    }
}

TARGET_AVX512_BF16 void bfloat16_pack_codes(
    uint16_t *out, const vitrail_coded_rows *from, int64_t width, bool transposed, int64_t column, int64_t columns,
    int64_t term, int64_t terms, int64_t count) {
    if (transposed) pack_lines(out, from, width, column, columns, term, count);
    else pack_pairs(out, from, width, column, term, terms, count);
}

#else

void bfloat16_pack_codes(
    uint16_t *out, const vitrail_coded_rows *from, int64_t width, bool transposed, int64_t column, int64_t columns,
    int64_t term, int64_t terms, int64_t count) {
    (void)out, (void)from, (void)width, (void)transposed, (void)column, (void)columns, (void)term, (void)terms, (void)count;
}

#endif
