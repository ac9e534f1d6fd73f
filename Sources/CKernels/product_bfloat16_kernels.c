// The kernels that multiply packed bfloat16 operands: AMX tiles, and AVX-512 dot products of pairs.

#include "product_bfloat16.h"

#if PRODUCT_X86

#include <immintrin.h>

void bfloat16_pack_a_14(uint16_t *, const void *, int64_t, bool, vitrail_element, int, int64_t, int64_t);
void bfloat16_pack_a_16(uint16_t *, const void *, int64_t, bool, vitrail_element, int, int64_t, int64_t);
void bfloat16_pack_b(uint16_t *, const void *, int64_t, bool, vitrail_element, int, int64_t, int64_t);

/// C = (accumulate ? C : 0) + alpha * sums + bias for rows of 32 sums.
TARGET_AVX512 static void store_sums(const bfloat16_tile *tile, const float *sums, int first, int rows) {
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
        float *c = tile->c + (first + i) * tile->ldc;
        __m512 x = _mm512_mul_ps(_mm512_loadu_ps(sums), alpha);
        __m512 y = _mm512_mul_ps(_mm512_loadu_ps(sums + 16), alpha);
        if (tile->accumulate) {
            x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(low, c));
            y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(high, c + 16));
        }
        _mm512_mask_storeu_ps(c, low, _mm512_add_ps(x, bias_low));
        _mm512_mask_storeu_ps(c + 16, high, _mm512_add_ps(y, bias_high));
    }
}

// MARK: AMX

TARGET_AMX static void amx_start(void) {
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

TARGET_AMX static void amx_stop(void) { _tile_release(); }

/// Two groups of 16 rows by 32 columns in tiles 0 to 3; A in 4 and 5, B in 6 and 7.
TARGET_AMX static void amx_multiply(const bfloat16_tile *tile) {
    enum { A_TILE = 16 * BLOCK_TERMS, B_TILES = PANEL_COLUMNS * BLOCK_TERMS, B_STRIDE = 4 * PANEL_COLUMNS };
    const uint16_t *a = tile->a, *b = tile->b;
    const uint16_t *a_second = a + tile->a_group;
    const bool two = tile->rows > 16, full = tile->columns == PANEL_COLUMNS && tile->alpha == 1
                                             && (tile->rows == 32 || tile->rows == 16);
    const bool direct = full && !(tile->accumulate && tile->bias);
    float *c = tile->c;
    const ptrdiff_t stride = tile->ldc * (ptrdiff_t)sizeof(float);
    if (direct && tile->accumulate) {
        _tile_loadd(0, c, stride);
        _tile_loadd(1, c + 16, stride);
        if (two) {
            _tile_loadd(2, c + 16 * tile->ldc, stride);
            _tile_loadd(3, c + 16 * tile->ldc + 16, stride);
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
    if (!(direct && tile->accumulate)) {
        for (int i = 0; i < rows; i++) {
            __builtin_prefetch(c + i * tile->ldc, 1);
            __builtin_prefetch(c + i * tile->ldc + 31, 1);
        }
    }
    if (two) {
        for (int64_t block = 0; block < tile->blocks; block++) {
            _tile_loadd(4, a, 64);
            _tile_loadd(6, b, B_STRIDE);
            _tile_loadd(7, b + PANEL_COLUMNS, B_STRIDE);
            _tile_loadd(5, a_second, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
            a += A_TILE;
            a_second += A_TILE;
            b += B_TILES;
        }
    } else {
        for (int64_t block = 0; block < tile->blocks; block++) {
            _tile_loadd(4, a, 64);
            _tile_loadd(6, b, B_STRIDE);
            _tile_loadd(7, b + PANEL_COLUMNS, B_STRIDE);
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            a += A_TILE;
            b += B_TILES;
        }
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
    store_sums(tile, sums, 0, tile->rows);
}

const bfloat16_kernels bfloat16_kernels_amx = {
    .rows = 16,
    .start = amx_start,
    .stop = amx_stop,
    .multiply = amx_multiply,
    .pack_a = bfloat16_pack_a_16,
    .pack_b = bfloat16_pack_b,
};

// MARK: AVX-512

enum { ROWS = 14 };

TARGET_AVX512_BF16 __attribute__((always_inline)) static inline void multiply_group(
    const bfloat16_tile *tile, const uint16_t *a, int first, const int rows) {
    __m512 sums[ROWS][2];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) sums[i][0] = sums[i][1] = _mm512_setzero_ps();
    const uint16_t *b = tile->b;
    for (int64_t block = 0; block < tile->blocks; block++, a += ROWS * BLOCK_TERMS) {
#pragma clang loop unroll_count(2)
        for (int pair = 0; pair < BLOCK_TERMS / 2; pair++, b += 2 * PANEL_COLUMNS) {
            const __m512bh left = (__m512bh)_mm512_loadu_si512(b);
            const __m512bh right = (__m512bh)_mm512_loadu_si512(b + PANEL_COLUMNS);
#pragma clang loop unroll(full)
            for (int i = 0; i < rows; i++) {
                int32_t two;
                memcpy(&two, a + i * BLOCK_TERMS + 2 * pair, sizeof two);
                const __m512bh element = (__m512bh)_mm512_set1_epi32(two);
                sums[i][0] = _mm512_dpbf16_ps(sums[i][0], element, left);
                sums[i][1] = _mm512_dpbf16_ps(sums[i][1], element, right);
            }
        }
    }
    float values[ROWS * PANEL_COLUMNS] __attribute__((aligned(64)));
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
        _mm512_store_ps(values + i * PANEL_COLUMNS, sums[i][0]);
        _mm512_store_ps(values + i * PANEL_COLUMNS + 16, sums[i][1]);
    }
    store_sums(tile, values, first, rows);
}

TARGET_AVX512_BF16 static void avx512_multiply(const bfloat16_tile *tile) {
    for (int first = 0; first < tile->rows; first += ROWS) {
        const uint16_t *a = tile->a + first / ROWS * tile->a_group;
        switch (least(ROWS, tile->rows - first)) {
#define CASE(n) case n: multiply_group(tile, a, first, n); break;
            CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
            CASE(13) CASE(14)
#undef CASE
        }
    }
}

const bfloat16_kernels bfloat16_kernels_avx512 = {
    .rows = ROWS,
    .multiply = avx512_multiply,
    .pack_a = bfloat16_pack_a_14,
    .pack_b = bfloat16_pack_b,
};

#endif
