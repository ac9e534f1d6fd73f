// The kernel that multiplies packed bfloat16 operands by AVX-512's dot products of pairs.

#include "product_bfloat16.h"

#if PRODUCT_X86

#include <immintrin.h>

#pragma clang diagnostic ignored "-Wpsabi"

#pragma clang attribute push(__attribute__((target("arch=x86-64-v4"))), apply_to = function)
#define VITRAIL_WIDE 1
#include "vector.h"

#include "activations.h"
#pragma clang attribute pop

#define TARGET_FINISH __attribute__((target("arch=x86-64-v4,avx512bf16")))

void bfloat16_pack_a_14(uint16_t *, const void *, int64_t, bool, vitrail_element, int, int64_t, int64_t);
void bfloat16_pack_b_asking(uint16_t *, const void *, int64_t, bool, vitrail_element, int, int64_t, int64_t);
void bfloat16_interleave(uint16_t *, int, const void *, int64_t, vitrail_element, int, int64_t, int64_t);

/// `function` is a constant, negative for none.
TARGET_FINISH __attribute__((always_inline)) static inline void finish_sums(
    const bfloat16_tile *tile, const float *sums, int first, int rows, const int function) {
    const __mmask16 low = (__mmask16)(tile->columns >= 16 ? 0xffff : (1 << tile->columns) - 1);
    const __mmask16 high = (__mmask16)(tile->columns >= 32 ? 0xffff
                                       : tile->columns <= 16 ? 0 : (1 << (tile->columns - 16)) - 1);
    const __m512 alpha = _mm512_set1_ps(tile->alpha);
    __m512 bias_low = _mm512_setzero_ps(), bias_high = bias_low;
    if (tile->bias) {
        bias_low = _mm512_maskz_loadu_ps(low, tile->bias);
        bias_high = _mm512_maskz_loadu_ps(high, tile->bias + 16);
    }
    for (int i = 0; i < rows; i++, sums += PANEL_COLUMNS) {
        __m512 x = _mm512_mul_ps(_mm512_loadu_ps(sums), alpha);
        __m512 y = _mm512_mul_ps(_mm512_loadu_ps(sums + 16), alpha);
        if (tile->from) {
            const float *from = tile->from + (first + i) * tile->from_stride;
            x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(low, from));
            y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(high, from + 16));
        }
        x = _mm512_add_ps(x, bias_low);
        y = _mm512_add_ps(y, bias_high);
        if (function >= 0) {
            x = (__m512)activate16(function, (v16f)x, NULL);
            y = (__m512)activate16(function, (v16f)y, NULL);
        }
        if (tile->narrow) {
            uint16_t *c = (uint16_t *)tile->c + (first + i) * tile->ldc;
            const __mmask32 both = (__mmask32)low | (__mmask32)high << 16;
            _mm512_mask_storeu_epi16(c, both, (__m512i)_mm512_cvtne2ps_pbh(y, x));
        } else {
            float *c = tile->c + (first + i) * tile->ldc;
            _mm512_mask_storeu_ps(c, low, x);
            _mm512_mask_storeu_ps(c + 16, high, y);
        }
    }
}

TARGET_FINISH void bfloat16_store_sums(const bfloat16_tile *tile, const float *sums, int first, int rows) {
    if (!tile->activates) {
        finish_sums(tile, sums, first, rows, -1);
        return;
    }
#define FINISH(function) finish_sums(tile, sums, first, rows, function)
    FOR_ACTIVATION(tile->activation, FINISH)
#undef FINISH
}

enum { ROWS = 14, ASKING_BLOCKS = 24 };

/// C is wanted when the sums are done, and so is what is added to them: asks for rows [begin, end) of both.
TARGET_AVX512_BF16 __attribute__((always_inline)) static inline void ask_for_sums(
    const bfloat16_tile *tile, int64_t begin, int64_t end) {
    const ptrdiff_t element = tile->narrow ? sizeof(uint16_t) : sizeof(float), last = tile->columns - 1;
    for (int64_t i = begin; i < end; i++) {
        const char *const c = (const char *)tile->c + i * tile->ldc * element;
        __builtin_prefetch(c, 1);
        __builtin_prefetch(c + last * element, 1);
        if (!tile->from || tile->from == tile->c) continue;
        __builtin_prefetch(tile->from + i * tile->from_stride);
        __builtin_prefetch(tile->from + i * tile->from_stride + last);
    }
}

/// Whole lines of sums leave their registers as `bfloat16_store_sums` would have them.
TARGET_AVX512_BF16 __attribute__((always_inline)) static inline void store_registers(
    const bfloat16_tile *tile, __m512 sums[ROWS][2], int first, const int rows) {
    if (tile->alpha != 1) {
        const __m512 alpha = _mm512_set1_ps(tile->alpha);
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) {
            sums[i][0] = _mm512_mul_ps(sums[i][0], alpha);
            sums[i][1] = _mm512_mul_ps(sums[i][1], alpha);
        }
    }
    if (tile->from) {
        const float *from = tile->from + first * tile->from_stride;
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++, from += tile->from_stride) {
            sums[i][0] = _mm512_add_ps(sums[i][0], _mm512_loadu_ps(from));
            sums[i][1] = _mm512_add_ps(sums[i][1], _mm512_loadu_ps(from + 16));
        }
    }
    if (tile->bias) {
        const __m512 low = _mm512_loadu_ps(tile->bias), high = _mm512_loadu_ps(tile->bias + 16);
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) {
            sums[i][0] = _mm512_add_ps(sums[i][0], low);
            sums[i][1] = _mm512_add_ps(sums[i][1], high);
        }
    }
    if (tile->narrow) {
        uint16_t *c = (uint16_t *)tile->c + first * tile->ldc;
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++, c += tile->ldc) {
            _mm512_storeu_si512(c, (__m512i)_mm512_cvtne2ps_pbh(sums[i][1], sums[i][0]));
        }
        return;
    }
    float *c = tile->c + first * tile->ldc;
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++, c += tile->ldc) {
        _mm512_storeu_ps(c, sums[i][0]);
        _mm512_storeu_ps(c + 16, sums[i][1]);
    }
}

/// Sums of one group by a panel. A's terms lie in rows, where they lie or packed, or interleaved by columns.
TARGET_AVX512_BF16 __attribute__((always_inline)) static inline void multiply_group(
    const bfloat16_tile *tile, const uint16_t *a, int first, const int rows, const bool by_columns) {
    __m512 sums[ROWS][2];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) sums[i][0] = sums[i][1] = _mm512_setzero_ps();
    // Three rows an address register: x86 has too few for a pointer to every row.
    const ptrdiff_t pair_bytes = by_columns ? ROWS * 4 : 4, stride = by_columns ? 4 : tile->a_stride;
    const ptrdiff_t a_block = (by_columns ? ROWS * BLOCK_TERMS : tile->a_block) * (ptrdiff_t)sizeof(uint16_t);
    const char *base[(ROWS + 2) / 3];
#pragma clang loop unroll(full)
    for (int i = 0; i < (rows + 2) / 3; i++) base[i] = (const char *)a + 3 * i * stride;
    const uint16_t *b = tile->b;
    const ptrdiff_t ahead_step = tile->ahead_step, last_ahead = tile->ahead_bytes - 1;
    // By columns, each of two groups asks for half of the terms.
    const char *ahead = first == 0 ? tile->ahead
                        : by_columns ? tile->ahead + tile->blocks * (BLOCK_TERMS / 2) * ahead_step : tile->ahead_second;
    // A few rows of C in each of the last blocks: asked for all at once, they would hold up what the next terms read.
    const int64_t asking_blocks = least(tile->blocks, ASKING_BLOCKS), silent_blocks = tile->blocks - asking_blocks;
    const int64_t asked_rows = divide_up(4 * rows, 3 * asking_blocks);
    int64_t asked = 0;
    for (int64_t block = 0; block < tile->blocks; block++) {
        if (block >= silent_blocks && asked < rows) {
            const int64_t end = least(rows, asked + asked_rows);
            ask_for_sums(tile, first + asked, first + end);
            asked = end;
        }
        for (ptrdiff_t line = 0; !by_columns && line < ahead_step; line += 64) __builtin_prefetch(ahead + line, 0, 2);
        if (!by_columns) ahead += ahead_step;
#pragma clang loop unroll_count(4)
        for (int pair = 0; pair < BLOCK_TERMS / 2; pair++, b += 2 * PANEL_COLUMNS) {
            if (by_columns && ahead_step) {
                __builtin_prefetch(ahead, 0, 2);
                __builtin_prefetch(ahead + last_ahead, 0, 2);
                ahead += ahead_step;
            }
            const __m512bh left = (__m512bh)_mm512_loadu_si512(b);
            const __m512bh right = (__m512bh)_mm512_loadu_si512(b + PANEL_COLUMNS);
#pragma clang loop unroll(full)
            for (int i = 0; i < rows; i++) {
                int32_t two;
                memcpy(&two, base[i / 3] + (i % 3) * stride + pair_bytes * pair, sizeof two);
                const __m512bh element = (__m512bh)_mm512_set1_epi32(two);
                sums[i][0] = _mm512_dpbf16_ps(sums[i][0], element, left);
                sums[i][1] = _mm512_dpbf16_ps(sums[i][1], element, right);
            }
        }
#pragma clang loop unroll(full)
        for (int i = 0; i < (rows + 2) / 3; i++) base[i] += a_block;
    }
    if (tile->columns == PANEL_COLUMNS && !tile->activates) {
        store_registers(tile, sums, first, rows);
        return;
    }
    float values[ROWS * PANEL_COLUMNS] __attribute__((aligned(64)));
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
        _mm512_store_ps(values + i * PANEL_COLUMNS, sums[i][0]);
        _mm512_store_ps(values + i * PANEL_COLUMNS + 16, sums[i][1]);
    }
    bfloat16_store_sums(tile, values, first, rows);
}

TARGET_AVX512_BF16 __attribute__((always_inline)) static inline void multiply_groups(
    const bfloat16_tile *tile, const bool by_columns) {
    for (int first = 0; first < tile->rows; first += ROWS) {
        const uint16_t *a = tile->a + first / ROWS * tile->a_group;
        switch (least(ROWS, tile->rows - first)) {
#define CASE(n) case n: multiply_group(tile, a, first, n, by_columns); break;
            CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
            CASE(13) CASE(14)
#undef CASE
        }
    }
}

TARGET_AVX512_BF16 static void avx512_multiply(const bfloat16_tile *tile) { multiply_groups(tile, false); }
TARGET_AVX512_BF16 static void avx512_multiply_columns(const bfloat16_tile *tile) { multiply_groups(tile, true); }

const bfloat16_kernels bfloat16_kernels_avx512 = {
    .rows = ROWS,
    .groups = 2,
    .parts = 1,
    .terms = BLOCK_TERMS,
    .depth = 3072,
    .reads_rows = true,
    .apart = 4096,
    .multiply = avx512_multiply,
    .multiply_columns = avx512_multiply_columns,
    .pack_a = bfloat16_pack_a_14,
    .pack_b = bfloat16_pack_b_asking,
    .interleave = bfloat16_interleave,
};

#endif
