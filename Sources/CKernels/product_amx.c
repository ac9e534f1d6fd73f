// The kernels that multiply packed operands of bfloat16 on AMX tiles.

#include "product_bfloat16.h"

#if PRODUCT_X86

#include "tiles.h"

void bfloat16_pack_a_16(uint16_t *, const void *, int64_t, bool, vitrail_element, int, int64_t, int64_t);
void bfloat16_pack_b(uint16_t *, const void *, int64_t, bool, vitrail_element, int, int64_t, int64_t);

TARGET_AMX void amx_start(void) {
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

TARGET_AMX void amx_stop(void) { _tile_release(); }

/// A block of C in tiles 0 to 3: two groups of 16 rows by 32 columns. `terms` adds the products to them.
TARGET_AMX __attribute__((always_inline)) static inline void amx_block(
    const bfloat16_tile *tile, void (*const terms)(const bfloat16_tile *, bool two)) {
    const bool two = tile->rows > 16, full = tile->columns == PANEL_COLUMNS && tile->alpha == 1
                                             && tile->rows % 16 == 0;
    const bool direct = full && !(tile->from && tile->bias) && !tile->activates && !tile->narrow;
    float *c = tile->c;
    const ptrdiff_t stride = tile->ldc * (ptrdiff_t)sizeof(float);
    if (direct && tile->from) {
        const float *from = tile->from;
        const ptrdiff_t from_stride = tile->from_stride * (ptrdiff_t)sizeof(float);
        _tile_loadd(0, from, from_stride);
        _tile_loadd(1, from + 16, from_stride);
        if (two) {
            _tile_loadd(2, from + 16 * tile->from_stride, from_stride);
            _tile_loadd(3, from + 16 * tile->from_stride + 16, from_stride);
        }
    } else if (direct && tile->bias) {
        _tile_loadd(0, tile->bias, 0);
        _tile_loadd(1, tile->bias + 16, 0);
        _tile_loadd(2, tile->bias, 0);
        _tile_loadd(3, tile->bias + 16, 0);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    // C is wanted when the sums are done: its lines are asked for while tiles multiply.
    const int rows = tile->rows;
    if (tile->narrow) {
        for (int i = 0; i < rows; i++) __builtin_prefetch((uint16_t *)c + i * tile->ldc, 1);
    } else if (!(direct && tile->from == c)) {
        for (int i = 0; i < rows; i++) {
            __builtin_prefetch(c + i * tile->ldc, 1);
            __builtin_prefetch(c + i * tile->ldc + 31, 1);
        }
    }
    if (two) {
        terms(tile, true);
    } else {
        terms(tile, false);
    }
    if (direct) {
        _tile_stored(0, c, stride);
        _tile_stored(1, c + 16, stride);
        if (two) {
            _tile_stored(2, c + 16 * tile->ldc, stride);
            _tile_stored(3, c + 16 * tile->ldc + 16, stride);
        }
        return;
    }
    float sums[32 * PANEL_COLUMNS] __attribute__((aligned(64)));
    enum { SUMS_STRIDE = 4 * PANEL_COLUMNS };
    _tile_stored(0, sums, SUMS_STRIDE);
    _tile_stored(1, sums + 16, SUMS_STRIDE);
    if (two) {
        _tile_stored(2, sums + 16 * PANEL_COLUMNS, SUMS_STRIDE);
        _tile_stored(3, sums + 16 * PANEL_COLUMNS + 16, SUMS_STRIDE);
    }
    bfloat16_store_sums(tile, sums, 0, tile->rows);
}

enum { A_TILE = 16 * BLOCK_TERMS, B_TILES = PANEL_COLUMNS * BLOCK_TERMS, B_STRIDE = 4 * PANEL_COLUMNS };

/// A in tiles 4 and 5, B in 6 and 7.
TARGET_AMX __attribute__((always_inline)) static inline void amx_terms(const bfloat16_tile *tile, bool two) {
    const uint16_t *a = tile->a, *b = tile->b, *a_second = a + tile->a_group;
    const ptrdiff_t stride = tile->a_stride, a_block = tile->a_block, ahead_step = tile->ahead_step;
    const char *ahead = tile->ahead, *ahead_second = tile->ahead_second;
    for (int64_t block = 0; block < tile->blocks; block++) {
        for (ptrdiff_t line = 0; line < ahead_step; line += 64) {
            __builtin_prefetch(ahead + line, 0, 2);
            __builtin_prefetch(ahead_second + line, 0, 2);
        }
        ahead += ahead_step;
        ahead_second += ahead_step;
        _tile_loadd(4, a, stride);
        _tile_loadd(6, b, B_STRIDE);
        _tile_loadd(7, b + PANEL_COLUMNS, B_STRIDE);
        if (two) _tile_loadd(5, a_second, stride);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        if (two) _tile_dpbf16ps(2, 5, 6);
        if (two) _tile_dpbf16ps(3, 5, 7);
        a += a_block;
        a_second += a_block;
        b += B_TILES;
    }
}

TARGET_AMX static void amx_multiply(const bfloat16_tile *tile) { amx_block(tile, amx_terms); }

const bfloat16_kernels bfloat16_kernels_amx = {
    .rows = 16,
    .groups = 2,
    .parts = 1,
    .terms = BLOCK_TERMS,
    .depth = 1536,
    .reads_rows = true,
    .start = amx_start,
    .stop = amx_stop,
    .multiply = amx_multiply,
    .pack_a = bfloat16_pack_a_16,
    .pack_b = bfloat16_pack_b,
};

#endif
