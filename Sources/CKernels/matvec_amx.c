// Few rows of x by many rows of bfloat16 weights on AMX tiles: the weights lie as tiles want them, sixteen rows of
// 32 terms, so they go from memory to the tiles without a copy.

#include "matvec_internal.h"

#if PRODUCT_X86

#include <immintrin.h>

TARGET_AMX void matvec_amx_start(void) {
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } __attribute__((aligned(64))) configuration = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        configuration.bytes[i] = 64;
        configuration.rows[i] = 16;
    }
    _tile_loadconfig(&configuration);
}

TARGET_AMX void matvec_amx_stop(void) { _tile_release(); }

TARGET_AMX void matvec_amx(const uint16_t *weights, int64_t ldw, const uint16_t *x, int64_t blocks, float *out) {
    enum { TERMS = 32, X_TILE = 16 * TERMS, AHEAD = 16 };
    const ptrdiff_t stride = ldw * 2;
    _tile_zero(0);
    _tile_zero(1);
    int64_t block = 0;
    for (; block + 2 <= blocks; block += 2) {
        for (int i = 0; i < 16; i++) __builtin_prefetch(weights + i * ldw + TERMS * AHEAD);
        for (int i = 0; i < 16; i++) __builtin_prefetch(weights + i * ldw + TERMS * (AHEAD + 1));
        _tile_loadd(4, weights, stride);
        _tile_loadd(6, x, 64);
        _tile_loadd(5, weights + TERMS, stride);
        _tile_loadd(7, x + X_TILE, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 5, 7);
        weights += 2 * TERMS;
        x += 2 * X_TILE;
    }
    if (block < blocks) {
        _tile_loadd(4, weights, stride);
        _tile_loadd(6, x, 64);
        _tile_dpbf16ps(0, 4, 6);
    }
    float sums[2][16][16] __attribute__((aligned(64)));
    _tile_stored(0, sums[0], 64);
    _tile_stored(1, sums[1], 64);
    for (int column = 0; column < 16; column++) {
        for (int row = 0; row < 16; row++) out[column * 16 + row] = sums[0][row][column] + sums[1][row][column];
    }
}

#endif
