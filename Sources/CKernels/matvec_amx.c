// Few rows of x by many rows of bfloat16 weights on AMX tiles: the weights lie as tiles want them, sixteen rows of
// 32 terms, so they go from memory to the tiles without a copy.

#include "matvec_internal.h"
#include "product_transpose.h"

#if PRODUCT_X86

#include "tiles.h"

/// Rows of C are columns of y: sixteen sums of a tile's column become neighbours.
TARGET_AMX static void store_transposed(const float *tile, float *out) {
    __m512i rows[16];
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) rows[i] = _mm512_load_si512(tile + 16 * i);
    transpose_rows_16(rows);
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) _mm512_storeu_si512(out + 16 * i, rows[i]);
}

TARGET_AMX void matvec_amx(const uint16_t *weights, int64_t ldw, const uint16_t *x, int64_t blocks, int columns,
                           float *out) {
    enum { TERMS = 32, X_PANEL = 32 * TERMS, X_STRIDE = 128 };
    const ptrdiff_t stride = ldw * 2;
    const bool wide = columns > 16;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    int64_t block = 0;
    for (; block + 2 <= blocks; block += 2, weights += 2 * TERMS, x += 2 * X_PANEL) {
        // The same terms of the next sixteen rows: memory works while tiles do.
#pragma clang loop unroll_count(4)
        for (int i = 16; i < 32; i++) {
            __builtin_prefetch(weights + i * ldw, 0, 2);
            __builtin_prefetch(weights + i * ldw + TERMS, 0, 2);
        }
        _tile_loadd(4, weights, stride);
        _tile_loadd(5, weights + TERMS, stride);
        _tile_loadd(6, x, X_STRIDE);
        _tile_loadd(7, x + X_PANEL, X_STRIDE);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 5, 7);
        if (wide) {
            _tile_loadd(6, x + 32, X_STRIDE);
            _tile_loadd(7, x + X_PANEL + 32, X_STRIDE);
            _tile_dpbf16ps(2, 4, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    if (block < blocks) {
        _tile_loadd(4, weights, stride);
        _tile_loadd(6, x, X_STRIDE);
        _tile_dpbf16ps(0, 4, 6);
        if (wide) {
            _tile_loadd(7, x + 32, X_STRIDE);
            _tile_dpbf16ps(2, 4, 7);
        }
    }
    float sums[2][256] __attribute__((aligned(64)));
    for (int half = 0; half <= wide; half++) {
        if (half == 0) {
            _tile_stored(0, sums[0], 64);
            _tile_stored(1, sums[1], 64);
        } else {
            _tile_stored(2, sums[0], 64);
            _tile_stored(3, sums[1], 64);
        }
        for (int i = 0; i < 256; i++) sums[0][i] += sums[1][i];
        store_transposed(sums[0], out + 256 * half);
    }
}

#endif
