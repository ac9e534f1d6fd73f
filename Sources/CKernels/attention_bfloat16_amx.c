// Attention and its gradient on tiles of bfloat16 (AMX).

#include "attention_bfloat16.h"

#if PRODUCT_X86

#include "product_bfloat16.h"
#include "product_transpose.h"
#include "tiles.h"

#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,avx512bf16,amx-tile,amx-bf16"))), apply_to = function)

#define VITRAIL_WIDE 1
#define VITRAIL_ROUNDS 1
#include "vector.h"

/// Tiles take blocks as a whole.
enum { WHOLE_BLOCKS = 1, HEADS_TOGETHER = 0 };
#include "attention_bfloat16_blocks.h"

/// Around a thread's products.
INLINE void start_multiplying(void) { amx_start(); }
INLINE void stop_multiplying(void) { amx_stop(); }

/// c[32, 32] = (add ? c : 0) + a · b over blocks of 32 terms; a's second group of 16 rows is `a_group` elements on.
INLINE void multiply(
    extent of, const uint16_t *a, ptrdiff_t a_group, const uint16_t *b, float *c, ptrdiff_t ldc, bool add) {
    const ptrdiff_t blocks = blocks_of(of.terms);
    const ptrdiff_t stride = ldc * 4;
    if (add) {
        _tile_loadd(0, c, stride);
        _tile_loadd(1, c + 16, stride);
        _tile_loadd(2, c + 16 * ldc, stride);
        _tile_loadd(3, c + 16 * ldc + 16, stride);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    const uint16_t *second = a + a_group;
    for (ptrdiff_t block = 0; block < blocks; block++, a += GROUP, second += GROUP, b += PANEL) {
        _tile_loadd(4, a, 64);
        _tile_loadd(6, b, 128);
        _tile_loadd(7, b + 32, 128);
        _tile_loadd(5, second, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, stride);
    _tile_stored(1, c + 16, stride);
    _tile_stored(2, c + 16 * ldc, stride);
    _tile_stored(3, c + 16 * ldc + 16, stride);
}

#include "attention_bfloat16_forward.h"
#include "attention_bfloat16_gradient.h"

#pragma clang attribute pop

const attention_bfloat16_kernels attention_bfloat16_amx = {
    .forward = forward_task,
    .gradient = gradient_task,
    .scratch = scratch_bytes,
    .heads_together = HEADS_TOGETHER,
};

#endif
