// Attention and its gradient by AVX-512's dot products of pairs of bfloat16, for processors without tiles.

#include "attention_bfloat16.h"

#if PRODUCT_X86

#include "product_bfloat16.h"
#include "product_transpose.h"

#include <immintrin.h>

#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,avx512bf16"))), apply_to = function)

#define VITRAIL_WIDE 1
#define VITRAIL_ROUNDS 1
#include "vector.h"

/// Rows, columns and terms that nobody has are left out. The forward pass takes query heads that share keys together, so that rows of a
/// causal run see nearly the same keys.
enum { WHOLE_BLOCKS = 0, HEADS_TOGETHER = 1 };
#include "attention_bfloat16_blocks.h"

/// Around a thread's products: nothing to prepare.
INLINE void start_multiplying(void) {}
INLINE void stop_multiplying(void) {}

/// c[R, 16 · C] = (add ? c : 0) + a · b for rows of one group; R, C and add known where this is inlined.
INLINE void multiply_rows(
    const int R, const int C, const bool add, const uint16_t *a, const uint16_t *b, ptrdiff_t pairs, float *c, ptrdiff_t ldc) {
    __m512 sums[16][2];
#pragma clang loop unroll(full)
    for (int r = 0; r < R; r++)
#pragma clang loop unroll(full)
        for (int j = 0; j < C; j++) sums[r][j] = add ? _mm512_loadu_ps(c + r * ldc + 16 * j) : _mm512_setzero_ps();
    for (; pairs > 0; pairs -= BLOCK_TERMS / 2, a += GROUP) {
        const ptrdiff_t count = lesser(pairs, BLOCK_TERMS / 2);
#pragma clang loop unroll_count(4)
        for (ptrdiff_t pair = 0; pair < count; pair++, b += 2 * PANEL_COLUMNS) {
            __m512bh columns[2];
#pragma clang loop unroll(full)
            for (int j = 0; j < C; j++) columns[j] = (__m512bh)_mm512_loadu_si512(b + 32 * j);
#pragma clang loop unroll(full)
            for (int r = 0; r < R; r++) {
                int32_t two;
                memcpy(&two, a + r * BLOCK_TERMS + 2 * pair, sizeof two);
                const __m512bh element = (__m512bh)_mm512_set1_epi32(two);
#pragma clang loop unroll(full)
                for (int j = 0; j < C; j++) sums[r][j] = _mm512_dpbf16_ps(sums[r][j], element, columns[j]);
            }
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < R; r++)
#pragma clang loop unroll(full)
        for (int j = 0; j < C; j++) _mm512_storeu_ps(c + r * ldc + 16 * j, sums[r][j]);
}

/// The same where only R and C are known.
INLINE void multiply_or_add(
    const int R, const int C, bool add, const uint16_t *a, const uint16_t *b, ptrdiff_t pairs, float *c, ptrdiff_t ldc) {
    if (add) {
        multiply_rows(R, C, true, a, b, pairs, c, ldc);
    } else {
        multiply_rows(R, C, false, a, b, pairs, c, ldc);
    }
}

/// c[32, 32] = (add ? c : 0) + a · b over blocks of 32 terms; a's second group of 16 rows is `a_group` elements on. Of rows and terms
/// whole eights are taken, of columns one vector or both.
static void multiply(
    extent of, const uint16_t *a, ptrdiff_t a_group, const uint16_t *b, float *c, ptrdiff_t ldc, bool add) {
    const ptrdiff_t pairs = (of.terms + 7) / 8 * 4;
    for (ptrdiff_t row = 0; row < of.rows; row += 16, a += a_group, c += 16 * ldc) {
        const bool is_half = of.rows - row <= 8;
        // Sums of 16 vectors are enough to wait for none of them.
        if (of.columns > 16) {
            multiply_or_add(8, 2, add, a, b, pairs, c, ldc);
            if (!is_half) multiply_or_add(8, 2, add, a + 8 * BLOCK_TERMS, b, pairs, c + 8 * ldc, ldc);
        } else if (is_half) {
            multiply_or_add(8, 1, add, a, b, pairs, c, ldc);
        } else {
            multiply_or_add(16, 1, add, a, b, pairs, c, ldc);
        }
    }
}

#include "attention_bfloat16_forward.h"
#include "attention_bfloat16_gradient.h"

#pragma clang attribute pop

const attention_bfloat16_kernels attention_bfloat16_avx512 = {
    .forward = forward_task,
    .gradient = gradient_task,
    .scratch = scratch_bytes,
    .heads_together = HEADS_TOGETHER,
};

#endif
