// The kernel that multiplies float32 operands as integers of 24 bits in three slices, on AMX's tiles of bytes.

#include "product_bfloat16.h"

#if PRODUCT_X86

#include <immintrin.h>

#define TARGET_AMX_BYTES \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma,f16c,amx-tile,amx-int8")))

#define INLINE TARGET_AMX_BYTES __attribute__((always_inline)) static inline

void slices_pack_a(uint16_t *, const void *, int64_t, bool, vitrail_element, int, int64_t, int64_t);
void slices_pack_b(uint16_t *, const void *, int64_t, bool, vitrail_element, int, int64_t, int64_t);

enum {
    ROWS = 16,
    A_SLICE = ROWS * SLICE_TERMS / 2,           // elements of a block's slice
    B_SLICE = PANEL_COLUMNS * SLICE_TERMS / 2,
    B_STRIDE = 4 * PANEL_COLUMNS,
    LEVEL = ROWS * PANEL_COLUMNS,               // sums of a level of slices
    DEPTH_BLOCKS = 5,                           // of terms between visits to C: a panel, a group and their sums stay
                                                // in the first-level cache
};

#define LOAD_A(i) _tile_loadd(6, a + (i) * A_SLICE, SLICE_TERMS)
#define MULTIPLY(tile, i, half)                                                 \
    _tile_loadd(7, b + (i) * B_SLICE + (half) * PANEL_COLUMNS, B_STRIDE);       \
    _tile_dpbssd(tile, 6, 7)

/// Sixteen sums of three levels as float32, without their scales.
INLINE __m512 joined(const int32_t *sums) {
    const __m512 upper = _mm512_cvtepi32_ps(_mm512_load_si512(sums));
    const __m512 middle = _mm512_cvtepi32_ps(_mm512_load_si512(sums + LEVEL));
    const __m512 lower = _mm512_cvtepi32_ps(_mm512_load_si512(sums + 2 * LEVEL));
    const __m512 rest = _mm512_fmadd_ps(middle, _mm512_set1_ps(0x1p-18f), _mm512_mul_ps(lower, _mm512_set1_ps(0x1p-26f)));
    return _mm512_fmadd_ps(upper, _mm512_set1_ps(0x1p-10f), rest);
}

/// A group's sums on their way to C.
typedef struct {
    const bfloat16_tile *tile;
    int32_t *sums;            // [3][16][32]
    const float *a_scales;
    __m512 left, right;       // the panel's scales
    int first, rows;          // in the tile
    bool full;                // nothing but sums, or sums and what was there
} finished_group;

INLINE void finish_rows(const finished_group *group, int begin, int end) {
    const bfloat16_tile *const tile = group->tile;
    float *const values = (float *)group->sums;
    for (int i = begin; i < end; i++) {
        const __m512 scale = _mm512_set1_ps(group->a_scales[i]);
        __m512 x = joined(group->sums + i * PANEL_COLUMNS), y = joined(group->sums + i * PANEL_COLUMNS + 16);
        const __m512 x_scale = _mm512_mul_ps(scale, group->left), y_scale = _mm512_mul_ps(scale, group->right);
        if (!group->full) {
            _mm512_store_ps(values + i * PANEL_COLUMNS, _mm512_mul_ps(x, x_scale));
            _mm512_store_ps(values + i * PANEL_COLUMNS + 16, _mm512_mul_ps(y, y_scale));
            continue;
        }
        if (tile->from) {
            const float *const from = tile->from + (group->first + i) * tile->from_stride;
            x = _mm512_fmadd_ps(x, x_scale, _mm512_loadu_ps(from));
            y = _mm512_fmadd_ps(y, y_scale, _mm512_loadu_ps(from + 16));
        } else {
            x = _mm512_mul_ps(x, x_scale);
            y = _mm512_mul_ps(y, y_scale);
        }
        float *const c = tile->c + (group->first + i) * tile->ldc;
        _mm512_storeu_ps(c, x);
        _mm512_storeu_ps(c + 16, y);
    }
    if (!group->full && begin < end) {
        bfloat16_store_sums(tile, values + begin * PANEL_COLUMNS, group->first + begin, end - begin);
    }
}

/// What is asked for while a group is multiplied.
typedef struct {
    const char *panel, *panel_second;  // the next panel's lines, this group's share
    const uint16_t *rows;              // the next group, or NULL
} asked_lines;

/// The sums of one group by one panel, exact: products of slices whose ranks add up to 0, 1 and 2. What the other three
/// products hold is below a float32's last bit. The group before is finished while tiles multiply.
INLINE void multiply_group(int32_t *sums, const uint16_t *a, const uint16_t *b, const bfloat16_tile *tile,
                           const asked_lines *lines, const finished_group *before) {
    const int64_t blocks = tile->blocks;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    const int rows = before->rows;
    for (int64_t block = 0; block < blocks; block++, a += SLICES * A_SLICE, b += SLICES * B_SLICE) {
        for (ptrdiff_t at = 0; at < tile->ahead_step; at += 64) {
            __builtin_prefetch(lines->panel + block * tile->ahead_step + at, 0, 2);
            __builtin_prefetch(lines->panel_second + block * tile->ahead_step + at, 0, 2);
        }
        if (lines->rows) {
            for (ptrdiff_t at = 0; at < SLICES * A_SLICE; at += 32) {
                __builtin_prefetch(lines->rows + block * SLICES * A_SLICE + at, 0, 2);
            }
        }
        LOAD_A(2);
        MULTIPLY(4, 0, 0);
        MULTIPLY(5, 0, 1);
        LOAD_A(0);
        _tile_dpbssd(1, 6, 7);
        MULTIPLY(0, 0, 0);
        MULTIPLY(4, 2, 0);
        MULTIPLY(5, 2, 1);
        MULTIPLY(3, 1, 1);
        MULTIPLY(2, 1, 0);
        LOAD_A(1);
        _tile_dpbssd(4, 6, 7);
        MULTIPLY(5, 1, 1);
        MULTIPLY(3, 0, 1);
        MULTIPLY(2, 0, 0);
        finish_rows(before, (int)(rows * block / blocks), (int)(rows * (block + 1) / blocks));
    }
    _tile_stored(0, sums, B_STRIDE);
    _tile_stored(1, sums + 16, B_STRIDE);
    _tile_stored(2, sums + LEVEL, B_STRIDE);
    _tile_stored(3, sums + LEVEL + 16, B_STRIDE);
    _tile_stored(4, sums + 2 * LEVEL, B_STRIDE);
    _tile_stored(5, sums + 2 * LEVEL + 16, B_STRIDE);
}

TARGET_AMX_BYTES static void slices_multiply(const bfloat16_tile *tile) {
    const uint16_t *const b = tile->b;
    const float *const b_scales = (const float *)(b + tile->blocks * SLICES * B_SLICE);
    int32_t sums[SLICES * LEVEL] __attribute__((aligned(64)));
    finished_group group = {
        .tile = tile,
        .sums = sums,
        .left = _mm512_loadu_ps(b_scales),
        .right = _mm512_loadu_ps(b_scales + 16),
        .full = tile->columns == PANEL_COLUMNS && tile->alpha == 1 && !tile->bias && !tile->activates && !tile->narrow,
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
        multiply_group(sums, a, b, tile, &lines, &group);
        group.a_scales = (const float *)(a + tile->blocks * SLICES * A_SLICE);
        group.first = first;
        group.rows = rows;
    }
    finish_rows(&group, 0, group.rows);
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
