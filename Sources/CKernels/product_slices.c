// The kernel that multiplies float32 operands as integers of 24 bits in three slices, on AMX's tiles of bytes.

#include "product_bfloat16.h"

#if PRODUCT_X86

#include "tiles.h"

#define TARGET_AMX_BYTES \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma,f16c,amx-tile,amx-int8")))

#define INLINE TARGET_AMX_BYTES __attribute__((always_inline)) static inline

void slices_pack_a(uint16_t *, const void *, int64_t, bool, vitrail_element, int, int64_t, int64_t);
void slices_pack_b(uint16_t *, const void *, int64_t, bool, vitrail_element, int, int64_t, int64_t);

enum {
    ROWS = 16,
    COLUMNS = 16,                               // of half a panel
    SLICE = ROWS * SLICE_TERMS / 2,             // elements of a slice of a group's block, or of half a panel's
    LEVEL = ROWS * COLUMNS,                     // sums of a level of slices
    DEPTH_BLOCKS = 5,                           // of terms between visits to C: a panel, a group and their sums stay
                                                // in the first-level cache
};

#define LOAD(register, slices, i) _tile_loadd(register, (slices) + (i) * SLICE, SLICE_TERMS)

/// Sixteen sums of three levels as float32, without their scales.
INLINE __m512 joined(const int32_t *sums) {
    const __m512 upper = _mm512_cvtepi32_ps(_mm512_load_si512(sums));
    const __m512 middle = _mm512_cvtepi32_ps(_mm512_load_si512(sums + LEVEL));
    const __m512 lower = _mm512_cvtepi32_ps(_mm512_load_si512(sums + 2 * LEVEL));
    const __m512 rest = _mm512_fmadd_ps(middle, _mm512_set1_ps(0x1p-18f), _mm512_mul_ps(lower, _mm512_set1_ps(0x1p-26f)));
    return _mm512_fmadd_ps(upper, _mm512_set1_ps(0x1p-10f), rest);
}

/// A group's sums by half a panel, on their way to C.
typedef struct {
    const bfloat16_tile *tile;
    const int32_t *sums;      // [3][16][16]
    float *values;            // [16][32], of both halves, where there is more to do than to store sums
    const float *row_scales;
    __m512 column_scales;
    int first, rows, column;  // in the tile
    bool plain;               // nothing but sums, or sums and what was there
} finished_sums;

INLINE void finish_rows(const finished_sums *done, int begin, int end) {
    const bfloat16_tile *const tile = done->tile;
    for (int i = begin; i < end; i++) {
        const __m512 scale = _mm512_mul_ps(_mm512_set1_ps(done->row_scales[i]), done->column_scales);
        const __m512 sum = joined(done->sums + i * COLUMNS);
        if (!done->plain) {
            _mm512_store_ps(done->values + i * PANEL_COLUMNS + done->column, _mm512_mul_ps(sum, scale));
            continue;
        }
        const ptrdiff_t row = done->first + i;
        const float *const from = tile->from + row * tile->from_stride + done->column;
        const __m512 value = tile->from ? _mm512_fmadd_ps(sum, scale, _mm512_loadu_ps(from)) : _mm512_mul_ps(sum, scale);
        _mm512_storeu_ps(tile->c + row * tile->ldc + done->column, value);
    }
    if (!done->plain && done->column > 0 && begin < end) {
        bfloat16_store_sums(tile, done->values + begin * PANEL_COLUMNS, done->first + begin, end - begin);
    }
}

/// What is asked for while a group is multiplied.
typedef struct {
    const char *panel, *panel_second;  // the next panel's lines, this group's share
    const uint16_t *rows;              // the next group, or NULL
} asked_lines;

/// The sums of one group by half a panel, exact: products of slices whose ranks add up to 0, 1 and 2. What the other three
/// products hold is below a float32's last bit. The sums before are finished while tiles multiply.
///
/// A slice of either side is loaded once for the two or three products that it is part of: where another thread has a
/// share of the core, a tile's load takes two thirds as long as a product, and not beside it.
INLINE void multiply_slices(int32_t *sums, const uint16_t *a, const uint16_t *b, const bfloat16_tile *tile,
                            const asked_lines *lines, const finished_sums *before) {
    const int64_t blocks = tile->blocks;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    const int rows = before->rows;
    for (int64_t block = 0; block < blocks; block++, a += SLICES * SLICE, b += 2 * SLICES * SLICE) {
        for (ptrdiff_t at = 0; lines && at < tile->ahead_step; at += 64) {
            __builtin_prefetch(lines->panel + block * tile->ahead_step + at, 0, 2);
            __builtin_prefetch(lines->panel_second + block * tile->ahead_step + at, 0, 2);
        }
        for (ptrdiff_t at = 0; lines && lines->rows && at < SLICES * SLICE; at += 32) {
            __builtin_prefetch(lines->rows + block * SLICES * SLICE + at, 0, 2);
        }
        LOAD(3, a, 0);
        LOAD(4, a, 1);
        LOAD(5, a, 2);
        LOAD(6, b, 0);
        LOAD(7, b, 1);
        _tile_dpbssd(0, 3, 6);
        _tile_dpbssd(2, 4, 7);
        _tile_dpbssd(1, 3, 7);
        _tile_dpbssd(2, 5, 6);
        finish_rows(before, (int)(rows * block / blocks), (int)(rows * (block + 1) / blocks));
        LOAD(5, b, 2);
        _tile_dpbssd(1, 4, 6);
        _tile_dpbssd(2, 3, 5);
    }
    _tile_stored(0, sums, SLICE_TERMS);
    _tile_stored(1, sums + LEVEL, SLICE_TERMS);
    _tile_stored(2, sums + 2 * LEVEL, SLICE_TERMS);
}

TARGET_AMX_BYTES static void slices_multiply(const bfloat16_tile *tile) {
    const float *const column_scales = (const float *)(tile->b + tile->blocks * 2 * SLICES * SLICE);
    int32_t sums[SLICES * LEVEL] __attribute__((aligned(64)));
    float values[ROWS * PANEL_COLUMNS] __attribute__((aligned(64)));
    finished_sums done = {
        .tile = tile,
        .sums = sums,
        .values = values,
        .plain = tile->columns == PANEL_COLUMNS && tile->alpha == 1 && !tile->bias && !tile->activates && !tile->narrow,
    };
    for (int first = 0; first < tile->rows; first += ROWS) {
        const uint16_t *const a = tile->a + first / ROWS * tile->a_group;
        const int rows = (int)least(ROWS, tile->rows - first);
        // C is wanted when the sums are done.
        if (!tile->narrow) {
            for (int i = 0; i < rows; i++) {
                __builtin_prefetch(tile->c + (first + i) * tile->ldc, 1);
                __builtin_prefetch(tile->c + (first + i) * tile->ldc + 31, 1);
            }
        }
        const ptrdiff_t asked = first / ROWS * tile->ahead_step * tile->blocks;
        const asked_lines lines = {
            .panel = tile->ahead + asked,
            .panel_second = tile->ahead_second + asked,
            .rows = tile->asks_for_rows && first + ROWS < tile->rows ? a + tile->a_group : NULL,
        };
        for (int column = 0; column < PANEL_COLUMNS; column += COLUMNS) {
            multiply_slices(sums, a, tile->b + column / COLUMNS * SLICES * SLICE, tile, column ? NULL : &lines, &done);
            done.row_scales = (const float *)(a + tile->blocks * SLICES * SLICE);
            done.column_scales = _mm512_loadu_ps(column_scales + column);
            done.first = first;
            done.rows = rows;
            done.column = column;
        }
    }
    finish_rows(&done, 0, done.rows);
}

const bfloat16_kernels slices_kernels_amx = {
    .rows = ROWS,
    .groups = 64,
    .parts = SLICES,
    .terms = SLICE_TERMS,
    .depth = DEPTH_BLOCKS * SLICE_TERMS,
    .scales = 2,
    .start = amx_start,
    .stop = amx_stop,
    .multiply = slices_multiply,
    .pack_a = slices_pack_a,
    .pack_b = slices_pack_b,
};

#endif
