// Sums of 16 rows of quantised weights: bytes are multiplied without sign, and what the offset adds is taken away
// with the sum of x's block: sum (q - offset) x = sum q x - offset sum x, the latter in the row's `offsets`.
// What lies ahead is asked for from end to end, scales in front of their codes too: of a group of 4 bits they are a tenth, and a core that
// nobody asked waited for them two or three times a group.

#include "quantized_weights.h"

// MARK: Plain

static inline void quantized_plain(const uint8_t *group, int64_t blocks, int terms, const quantized_row *x, int columns,
                                   float *out, const bool four) {
    const uint16_t *scales = (const uint16_t *)group;
    const uint8_t *quants = group + scales_bytes(blocks);
    for (int i = 0; i < columns * QUANT_ROWS; i++) out[i] = 0;
    for (int64_t block = 0; block < blocks; block++, quants += QUANT_ROWS * (four ? terms / 2 : terms)) {
        for (int c = 0; c < columns; c++) {
            const int8_t *values = x[c].values + block * terms;
            for (int i = 0; i < QUANT_ROWS; i++) {
                int32_t sum = x[c].offsets[block];
                for (int j = 0; j < terms; j++) {
                    const int quad = four ? j / 4 % 4 : j / 4;
                    const uint8_t byte = quants[(quad * QUANT_ROWS + i) * 4 + j % 4];
                    sum += (four ? byte >> (4 * (j / 16)) & 15 : byte) * values[j];
                }
                out[c * QUANT_ROWS + i] +=
                    (float)sum * (float_from_half(scales[block * QUANT_ROWS + i]) * x[c].scales[block]);
            }
        }
    }
}

void quantized_int8_plain(const uint8_t *group, int64_t blocks, int terms, const quantized_row *x, int columns, float *out) {
    quantized_plain(group, blocks, terms, x, columns, out, false);
}

void quantized_int4_plain(const uint8_t *group, int64_t blocks, int terms, const quantized_row *x, int columns, float *out) {
    quantized_plain(group, blocks, terms, x, columns, out, true);
}

#if PRODUCT_X86

#include <immintrin.h>

enum { WIDENED = 64 };  // blocks whose scales are widened before their codes are read

/// Asks for what lies `ahead` of what is read, or as far ahead as a core wants that asks far.
static inline __attribute__((always_inline)) void ask(const uint8_t *memory, int ahead, const bool far) {
    if (far) ask_far(memory);
    else __builtin_prefetch(memory + ahead);
}

static inline int32_t quad_at(const int8_t *values, int quad) {
    int32_t bytes;
    memcpy(&bytes, values + 4 * quad, sizeof bytes);
    return bytes;
}

// MARK: AVX-512 VNNI

#define TARGET_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")))

TARGET_VNNI __attribute__((always_inline)) static inline void quantized_vnni(
    const uint8_t *group, int64_t blocks, int terms, const quantized_row *x, const int columns, float *out, const bool four,
    const bool far) {
    enum { AHEAD = 8192 };
    const uint8_t *scales = group, *quants = group + scales_bytes(blocks);
    const __m512i low = _mm512_set1_epi8(15);
    __m512 widened[WIDENED], totals[QUANT_MOST_COLUMNS];
#pragma clang loop unroll(full)
    for (int c = 0; c < columns; c++) totals[c] = _mm512_setzero_ps();
    for (int64_t block = 0; block < blocks; block++) {
        if (block % WIDENED == 0) {
            for (int64_t i = 0; i < least(WIDENED, blocks - block); i++, scales += 2 * QUANT_ROWS) {
                ask(scales, AHEAD, far);
                widened[i] = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)scales));
            }
        }
        __m512i sums[QUANT_MOST_COLUMNS];
#pragma clang loop unroll(full)
        for (int c = 0; c < columns; c++) sums[c] = _mm512_set1_epi32(x[c].offsets[block]);
        for (int first = 0; first < terms / 4; first += 8) {
            __m512i weights[8];
#pragma clang loop unroll(full)
            for (int j = 0; j < (four ? 4 : 8); j++, quants += 64) {
                weights[j] = _mm512_loadu_si512(quants);
                ask(quants, AHEAD, far);
            }
            if (four) {
#pragma clang loop unroll(full)
                for (int j = 0; j < 4; j++) {
                    weights[j + 4] = _mm512_and_si512(_mm512_srli_epi16(weights[j], 4), low);
                    weights[j] = _mm512_and_si512(weights[j], low);
                }
            }
#pragma clang loop unroll(full)
            for (int c = 0; c < columns; c++) {
                const int8_t *values = x[c].values + block * terms;
#pragma clang loop unroll(full)
                for (int j = 0; j < 8; j++) {
                    sums[c] = _mm512_dpbusd_epi32(sums[c], weights[j], _mm512_set1_epi32(quad_at(values, first + j)));
                }
            }
        }
#pragma clang loop unroll(full)
        for (int c = 0; c < columns; c++) {
            const __m512 factor = _mm512_mul_ps(widened[block % WIDENED], _mm512_set1_ps(x[c].scales[block]));
            totals[c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[c]), factor, totals[c]);
        }
    }
#pragma clang loop unroll(full)
    for (int c = 0; c < columns; c++) _mm512_storeu_ps(out + c * QUANT_ROWS, totals[c]);
}

/// One row of x by groups that follow each other. Scales are widened before their codes, so that memory is read from end to end: where both
/// were read in turn, a core that sees coming what is read next saw two readings and neither far.
TARGET_VNNI __attribute__((always_inline)) static inline void quantized_rows_vnni(
    const uint8_t *groups, int64_t count, int64_t blocks, int terms, const quantized_row *x, float *out, const bool four,
    const bool far) {
    enum { AHEAD = 3072 };
    const __m512i low = _mm512_set1_epi8(15);
    __m512 factors[WIDENED];
    for (; count > 0; count--, out += QUANT_ROWS) {
        const uint8_t *scales = groups;
        groups += scales_bytes(blocks);
        __m512 total = _mm512_setzero_ps();
        for (int64_t start = 0; start < blocks; start += WIDENED) {
            const int64_t end = least(start + WIDENED, blocks);
            for (int64_t block = start; block < end; block++, scales += 2 * QUANT_ROWS) {
                ask(scales, AHEAD, far);
                factors[block - start] = _mm512_mul_ps(
                    _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)scales)), _mm512_set1_ps(x->scales[block]));
            }
            for (int64_t block = start; block < end; block++) {
                const int8_t *quads = x->values + block * terms;
                __m512i sum = _mm512_set1_epi32(x->offsets[block]);
                for (int step = 0; step < terms; step += four ? VITRAIL_INT4_TERMS : VITRAIL_INT8_STEP_TERMS) {
#pragma clang loop unroll(full)
                    for (int j = 0; j < (four ? 4 : 16); j++, groups += 64) {
                        ask(groups, AHEAD, far);
                        const __m512i bytes = _mm512_loadu_si512(groups);
                        const __m512i first = _mm512_set1_epi32(quad_at(quads + step, j));
                        if (four) {
                            sum = _mm512_dpbusd_epi32(sum, _mm512_and_si512(bytes, low), first);
                            const __m512i high = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), low);
                            sum = _mm512_dpbusd_epi32(sum, high, _mm512_set1_epi32(quad_at(quads + step, j + 4)));
                        } else {
                            sum = _mm512_dpbusd_epi32(sum, bytes, first);
                        }
                    }
                }
                total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), factors[block - start], total);
            }
        }
        _mm512_storeu_ps(out, total);
    }
}

#define DEFINE_ROWS(name, four)                                                                                             \
    TARGET_VNNI void name(                                                                                                  \
        const uint8_t *groups, int64_t count, int64_t blocks, int terms, const quantized_row *x, float *out) {              \
        if (four) terms = VITRAIL_INT4_TERMS;                                                                               \
        if (vitrail_cpu_asks_far()) quantized_rows_vnni(groups, count, blocks, terms, x, out, four, true);                  \
        else quantized_rows_vnni(groups, count, blocks, terms, x, out, four, false);                                        \
    }

DEFINE_ROWS(quantized_rows_int8_vnni, false)
DEFINE_ROWS(quantized_rows_int4_vnni, true)

// MARK: AVX2

/// Products of unsigned weights and signed values, four added in each 32-bit lane. Pairs are added in 16 bits,
/// which weights up to 15 cannot overflow; larger ones are multiplied as signed numbers of up to 127.
TARGET_AVX2 __attribute__((always_inline)) static inline __m256i dot_avx2(__m256i weights, __m256i values,
                                                                        const bool four) {
    const __m256i ones = _mm256_set1_epi16(1);
    if (four) return _mm256_madd_epi16(_mm256_maddubs_epi16(weights, values), ones);
    const __m256i with_sign = _mm256_xor_si256(weights, _mm256_set1_epi8((char)0x80));
    const __m256i pairs =
        _mm256_maddubs_epi16(_mm256_abs_epi8(with_sign), _mm256_sign_epi8(values, with_sign));
    return _mm256_madd_epi16(pairs, ones);
}

TARGET_AVX2 __attribute__((always_inline)) static inline void quantized_avx2(
    const uint8_t *group, int64_t blocks, int terms, const quantized_row *x, const int columns, float *out, const bool four,
    const bool far) {
    enum { AHEAD = 8192 };
    const uint8_t *scales = group, *quants = group + scales_bytes(blocks);
    const __m256i low = _mm256_set1_epi8(15);
    __m256 widened[WIDENED][2], totals[2][4];
#pragma clang loop unroll(full)
    for (int c = 0; c < columns; c++) totals[0][c] = totals[1][c] = _mm256_setzero_ps();
    const int bytes_of_block = QUANT_ROWS * (four ? terms / 2 : terms);
    for (int64_t block = 0; block < blocks; block++, quants += bytes_of_block) {
        if (block % WIDENED == 0) {
            for (int64_t i = 0; i < least(WIDENED, blocks - block); i++, scales += 2 * QUANT_ROWS) {
                ask(scales, AHEAD, far);
                widened[i][0] = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)scales));
                widened[i][1] = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)scales + 1));
            }
        }
        for (int line = 0; line < bytes_of_block; line += 64) ask(quants + line, AHEAD, far);
#pragma clang loop unroll(full)
        for (int half = 0; half < 2; half++) {
            __m256i sums[4];
#pragma clang loop unroll(full)
            for (int c = 0; c < columns; c++) {
                // Signed weights have no offset left to take away.
                sums[c] = four ? _mm256_set1_epi32(x[c].offsets[block]) : _mm256_setzero_si256();
            }
#pragma clang loop unroll_count(8)
            for (int j = 0; j < terms / 4; j++) {
                const __m256i bytes =
                    _mm256_loadu_si256((const __m256i *)(quants + 64 * (four ? j % 4 : j) + 32 * half));
                const __m256i weights =
                    !four ? bytes : _mm256_and_si256(j < 4 ? bytes : _mm256_srli_epi16(bytes, 4), low);
#pragma clang loop unroll(full)
                for (int c = 0; c < columns; c++) {
                    const __m256i values = _mm256_set1_epi32(quad_at(x[c].values + block * terms, j));
                    sums[c] = _mm256_add_epi32(sums[c], dot_avx2(weights, values, four));
                }
            }
            const __m256 scale = widened[block % WIDENED][half];
#pragma clang loop unroll(full)
            for (int c = 0; c < columns; c++) {
                const __m256 factor = _mm256_mul_ps(scale, _mm256_set1_ps(x[c].scales[block]));
                totals[half][c] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[c]), factor, totals[half][c]);
            }
        }
    }
#pragma clang loop unroll(full)
    for (int c = 0; c < columns; c++) {
        _mm256_storeu_ps(out + c * QUANT_ROWS, totals[0][c]);
        _mm256_storeu_ps(out + c * QUANT_ROWS + 8, totals[1][c]);
    }
}

#define CASE(n, kernel, four)                                                                                               \
    case n:                                                                                                                 \
        if (vitrail_cpu_asks_far()) kernel(group, blocks, terms, x, n, out, four, true);                                    \
        else kernel(group, blocks, terms, x, n, out, four, false);                                                          \
        break;

#define DEFINE_VNNI(name, four)                                                                                             \
    TARGET_VNNI void name(const uint8_t *group, int64_t blocks, int terms, const quantized_row *x, int columns, float *out) { \
        if (four) terms = VITRAIL_INT4_TERMS;                                                                               \
        switch (columns) {                                                                                                  \
            CASE(1, quantized_vnni, four) CASE(2, quantized_vnni, four) CASE(3, quantized_vnni, four)                       \
            CASE(4, quantized_vnni, four) CASE(5, quantized_vnni, four) CASE(6, quantized_vnni, four)                       \
            CASE(7, quantized_vnni, four) CASE(8, quantized_vnni, four)                                                     \
        }                                                                                                                   \
    }

#define DEFINE_AVX2(name, four)                                                                                             \
    TARGET_AVX2 void name(const uint8_t *group, int64_t blocks, int terms, const quantized_row *x, int columns, float *out) { \
        if (four) terms = VITRAIL_INT4_TERMS;                                                                               \
        for (; columns > 2; columns -= 2, x += 2, out += 2 * QUANT_ROWS) {                                                  \
            quantized_avx2(group, blocks, terms, x, 2, out, four, false);                                                   \
        }                                                                                                                   \
        switch (columns) { CASE(1, quantized_avx2, four) CASE(2, quantized_avx2, four) }                                    \
    }

DEFINE_VNNI(quantized_int8_vnni, false)
DEFINE_VNNI(quantized_int4_vnni, true)
DEFINE_AVX2(quantized_int8_avx2, false)
DEFINE_AVX2(quantized_int4_avx2, true)

#endif
