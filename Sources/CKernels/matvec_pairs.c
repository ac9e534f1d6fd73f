// Some rows of x by many rows of bfloat16 weights with AVX-512's dot products of pairs. Weights go from memory to the registers as they
// lie, six rows of them past four rows of x, and what a vector's lanes have summed up is added at the end. Each sum is taken
// in the same order whatever its neighbours are.

#include "matvec_internal.h"

#if PRODUCT_X86

#include <immintrin.h>

enum {
    TERMS = 32,              // in a vector
    ROWS = 6, COLUMNS = 4,   // of weights and of x at once: 24 sums, and operands, fill the registers
    RUN = PAIRS_RUN_ROWS,
    ROWS_AHEAD = 2 * ROWS,   // weights that are asked for while these are multiplied
};

static int64_t padded(int64_t k) { return divide_up(k, TERMS) * TERMS; }
static int64_t groups_of(int64_t columns) { return divide_up(columns, COLUMNS); }
/// The first row of x of a group; groups are of like sizes.
static int64_t first_column(int64_t columns, int64_t group) { return columns * group / groups_of(columns); }
/// The first `count` of 16 lanes.
static __mmask16 lanes(int64_t count) { return (__mmask16)(count >= 16 ? 0xffff : count <= 0 ? 0 : (1 << count) - 1); }

size_t pairs_bytes(int64_t columns, int64_t k) { return (size_t)(columns * padded(k)) * sizeof(uint16_t); }

/// Rounds a group of rows of x: [k / 32, rounded up][columns][32], zeros beyond k.
TARGET_AVX512_BF16 static void pack_group(const float *x, int64_t ldx, int64_t columns, int64_t k, uint16_t *out) {
    for (int64_t p = 0; p < k; p += TERMS) {
        for (int64_t c = 0; c < columns; c++, out += TERMS) {
            const float *from = x + c * ldx + p;
            const __m512 low = _mm512_maskz_loadu_ps(lanes(k - p), from);
            const __m512 high = _mm512_maskz_loadu_ps(lanes(k - p - 16), from + 16);
            _mm512_storeu_si512(out, (__m512i)_mm512_cvtne2ps_pbh(high, low));
        }
    }
}

void pairs_pack_part(void *context, int part, int parts) {
    const pairs_work *work = context;
    const vitrail_matvec_args *args = work->args;
    const int64_t groups = groups_of(args->m);
    for (int64_t group = groups * part / parts; group < groups * (part + 1) / parts; group++) {
        const int64_t first = first_column(args->m, group), columns = first_column(args->m, group + 1) - first;
        pack_group(args->x + first * args->ldx, args->ldx, columns, args->k, work->packed + first * padded(args->k));
    }
}

TARGET_AVX512_BF16 void pairs_pack_row(const float *x, int64_t first, int64_t count, int64_t row, int64_t m, int64_t k,
                                       uint16_t *out) {
    int64_t group = row * groups_of(m) / m;
    while (row >= first_column(m, group + 1)) group++;
    const int64_t column = first_column(m, group), columns = first_column(m, group + 1) - column;
    out += column * padded(k) + (row - column) * TERMS;
    // Up to 16 at a time, none of which lies beyond its block of terms.
    for (int64_t done = 0, next; done < count; done = next) {
        const int64_t at = first + done;
        next = least(count, done + 16 - at % 16);
        const __m512 values = _mm512_maskz_loadu_ps(lanes(next - done), x + done);
        uint16_t *to = out + at / TERMS * columns * TERMS + at % TERMS;
        _mm256_mask_storeu_epi16(to, lanes(next - done), (__m256i)_mm512_cvtneps_pbh(values));
    }
}

/// The sums of the lanes of each of eight vectors, all in the same order.
TARGET_AVX512_BF16 __attribute__((always_inline)) static inline __m256 lane_sums(const __m512 v[8]) {
    __m512 halves[4], quarters[2];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        const __m512 a = v[2 * i], b = v[2 * i + 1];
        halves[i] = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 2; i++) {
        const __m512d a = (__m512d)halves[2 * i], b = (__m512d)halves[2 * i + 1];
        quarters[i] = _mm512_add_ps((__m512)_mm512_unpacklo_pd(a, b), (__m512)_mm512_unpackhi_pd(a, b));
    }
    // Quarters of the first four vectors' sums lie in each 128 bits of one, those of the others in the other.
    const __m512 pairs = _mm512_add_ps(
        _mm512_shuffle_f32x4(quarters[0], quarters[1], 0x88), _mm512_shuffle_f32x4(quarters[0], quarters[1], 0xdd));
    const __m512 ordered = _mm512_shuffle_f32x4(pairs, pairs, 0xd8);
    return _mm256_add_ps(_mm512_castps512_ps256(ordered), _mm512_extractf32x8_ps(ordered, 1));
}

/// Products of ROWS rows of weights, of which `count` exist, with a packed group: out[column * stride + row]. Asks for `lines` lines
/// from `ahead` on with each 32 terms.
TARGET_AVX512_BF16 __attribute__((always_inline)) static inline void multiply(
    const uint16_t *weights, int64_t ldw, int count, const uint16_t *x, const int columns, int64_t k, const char *ahead,
    int lines, float *out, int64_t stride) {
    const uint16_t *rows[ROWS];
    __m512 sums[COLUMNS * 8];
#pragma clang loop unroll(full)
    for (int i = 0; i < ROWS; i++) rows[i] = weights + least(i, count - 1) * ldw;
#pragma clang loop unroll(full)
    for (int i = 0; i < columns * 8; i++) sums[i] = _mm512_setzero_ps();
    int64_t p = 0;
    for (; p + TERMS <= k; p += TERMS, x += columns * TERMS) {
        __m512bh terms[COLUMNS];
#pragma clang loop unroll(disable)
        for (const char *end = ahead + 64 * lines; ahead < end; ahead += 64) __builtin_prefetch(ahead, 0, 2);
#pragma clang loop unroll(full)
        for (int c = 0; c < columns; c++) terms[c] = (__m512bh)_mm512_loadu_si512(x + c * TERMS);
#pragma clang loop unroll(full)
        for (int i = 0; i < ROWS; i++) {
            const __m512bh row = (__m512bh)_mm512_loadu_si512(rows[i] + p);
#pragma clang loop unroll(full)
            for (int c = 0; c < columns; c++) sums[8 * c + i] = _mm512_dpbf16_ps(sums[8 * c + i], row, terms[c]);
        }
    }
    if (p < k) {
        const __mmask32 left = (1u << (k - p)) - 1;
#pragma clang loop unroll(full)
        for (int i = 0; i < ROWS; i++) {
            const __m512bh row = (__m512bh)_mm512_maskz_loadu_epi16(left, rows[i] + p);
#pragma clang loop unroll(full)
            for (int c = 0; c < columns; c++) {
                const __m512bh terms = (__m512bh)_mm512_loadu_si512(x + c * TERMS);
                sums[8 * c + i] = _mm512_dpbf16_ps(sums[8 * c + i], row, terms);
            }
        }
    }
#pragma clang loop unroll(full)
    for (int c = 0; c < columns; c++) _mm256_mask_storeu_ps(out + c * stride, (1 << ROWS) - 1, lane_sums(sums + 8 * c));
}

/// y = (accumulate ? y : 0) + sums + bias for a run of rows of weights.
TARGET_AVX512_BF16 static void store_run(const vitrail_matvec_args *args, int64_t first, int64_t count, const float *sums) {
    for (int64_t column = 0; column < args->m; column++, sums += RUN) {
        float *y = args->y + column * args->ldy + first;
        for (int64_t i = 0; i < count; i += 16) {
            const __mmask16 mask = lanes(count - i);
            __m512 value = _mm512_maskz_loadu_ps(mask, sums + i);
            if (args->accumulate) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, y + i));
            if (args->bias) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, args->bias + first + i));
            _mm512_mask_storeu_ps(y + i, mask, value);
        }
    }
}

TARGET_AVX512_BF16 void pairs_sums(const uint16_t *weights, int64_t ldw, int64_t k, int count, const uint16_t *packed, int64_t m,
                                   float *out, int64_t stride) {
    const int64_t groups = groups_of(m);
    // Each group asks for its share of the rows ahead.
    const int lines = (int)divide_up(ROWS, groups);
    const int64_t share = lines * (k / TERMS) * 64;
    for (int row = 0; row < count; row += ROWS, weights += ROWS * ldw) {
        for (int64_t group = 0; group < groups; group++) {
            const int64_t column = first_column(m, group);
            const uint16_t *x = packed + column * padded(k);
            const char *ahead = (const char *)(weights + ROWS_AHEAD * ldw) + group * share;
            const int rows = (int)least(ROWS, count - row);
            float *sums = out + column * stride + row;
            switch (first_column(m, group + 1) - column) {
#define CASE(n) case n: multiply(weights, ldw, rows, x, n, k, ahead, lines, sums, stride); break;
                CASE(1) CASE(2) CASE(3) CASE(4)
#undef CASE
            }
        }
    }
}

void pairs_part(void *context, int part, int parts) {
    const pairs_work *work = context;
    const vitrail_matvec_args *args = work->args;
    const int64_t n = args->n, runs = divide_up(n, RUN);
    float sums[PAIRS_MOST_COLUMNS * RUN] __attribute__((aligned(64)));
    for (int64_t run = runs * part / parts; run < runs * (part + 1) / parts; run++) {
        const int64_t first = run * RUN, count = least(RUN, n - first);
        const uint16_t *weights = (const uint16_t *)args->weights + first * args->ldw;
        pairs_sums(weights, args->ldw, args->k, (int)count, work->packed, args->m, sums, RUN);
        store_run(args, first, count, sums);
    }
}

#endif
