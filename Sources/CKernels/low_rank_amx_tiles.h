// The products of low-rank products on AMX tiles, 64 rows at a time; not part of the module.
// Included within the attribute that turns the instructions on, behind low_rank_amx_pack.h.
#ifndef LOW_RANK_AMX_TILES_H
#define LOW_RANK_AMX_TILES_H

/// Rows of bfloat16 numbers.
typedef struct {
    const uint16_t *data;
    ptrdiff_t stride;
} brain_rows;

/// ROWS rows of a matrix from `row` on, of which `rows` exist, zeros behind them and behind their last column: where they lie if
/// they lie so, or in `copy`.
static brain_rows rows_of(vitrail_matrix m, ptrdiff_t row, ptrdiff_t rows, bool whole, uint16_t *copy) {
    if (m.is_bfloat16 && rows == ROWS && whole)
        return (brain_rows){(const uint16_t *)m.data + row * m.stride, m.stride};
    // A product may end at any column: its last terms reach 31 farther, where its factors are zeros.
    const ptrdiff_t stride = up_to(m.columns, TERMS) + TERMS;
    for (ptrdiff_t i = 0; i < ROWS; i++) {
        uint16_t *to = copy + i * stride;
        if (i >= rows) {
            memset(to, 0, sizeof(uint16_t) * (size_t)stride);
            continue;
        }
        EACH16(c, n, 0, stride) {
            const v16f v = c < m.columns
                               ? load_either(m.data, m.is_bfloat16, (row + i) * m.stride + c, lesser(16, m.columns - c))
                               : (v16f)0.0f;
            _mm256_storeu_si256((__m256i *)(to + c), (__m256i)_mm512_cvtneps_pbh((__m512)v));
        }
    }
    return (brain_rows){copy, stride};
}

/// sums[32, 16] = rows · packed, terms by terms; a block of terms of `packed` is `block` elements from the next.
INLINE void dots(
    const uint16_t *x, ptrdiff_t stride, const uint16_t *packed, ptrdiff_t block, ptrdiff_t blocks, float *sums,
    ptrdiff_t ld) {
    _tile_zero(0);
    _tile_zero(1);
    for (ptrdiff_t k = 0; k < blocks; k++, x += TERMS, packed += block) {
        _tile_loadd(4, x, stride * 2);
        _tile_loadd(6, packed, 64);
        _tile_loadd(5, x + 16 * stride, stride * 2);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 5, 6);
    }
    _tile_stored(0, sums, ld * 4);
    _tile_stored(1, sums + 16 * ld, ld * 4);
}

/// to (+)= h · packed for rows of `to` from `row` on; h is [ROWS, ranks].
static void spread(
    const uint16_t *h, ptrdiff_t ranks, const uint16_t *packed, vitrail_matrix to, ptrdiff_t row, ptrdiff_t rows,
    bool accumulate) {
    float sums[32 * 32] __attribute__((aligned(64)));
    const ptrdiff_t blocks = ranks / TERMS;
    for (ptrdiff_t c = 0; c < to.columns; c += 32, packed += 2 * blocks * TILE) {
        const ptrdiff_t low = lesser(16, to.columns - c), high = lesser(16, to.columns - c - 16);
        for (ptrdiff_t i = 0; i < rows; i += 32) {
            _tile_zero(0);
            _tile_zero(1);
            _tile_zero(2);
            _tile_zero(3);
            for (ptrdiff_t k = 0; k < blocks; k++) {
                _tile_loadd(4, h + i * ranks + k * TERMS, ranks * 2);
                _tile_loadd(5, h + (i + 16) * ranks + k * TERMS, ranks * 2);
                _tile_loadd(6, packed + k * TILE, 64);
                _tile_loadd(7, packed + (blocks + k) * TILE, 64);
                _tile_dpbf16ps(0, 4, 6);
                _tile_dpbf16ps(1, 4, 7);
                _tile_dpbf16ps(2, 5, 6);
                _tile_dpbf16ps(3, 5, 7);
            }
            _tile_stored(0, sums, 128);
            _tile_stored(1, sums + 16, 128);
            _tile_stored(2, sums + 16 * 32, 128);
            _tile_stored(3, sums + 16 * 32 + 16, 128);
            for (ptrdiff_t r = 0; r < lesser(32, rows - i); r++) {
                const ptrdiff_t at = (row + i + r) * to.stride + c;
                v16f first = load16(sums + 32 * r);
                if (accumulate) first += load_either(to.data, to.is_bfloat16, at, low);
                store_either(to.data, to.is_bfloat16, at, first, low);
                if (high <= 0) continue;
                v16f second = load16(sums + 32 * r + 16);
                if (accumulate) second += load_either(to.data, to.is_bfloat16, at + 16, high);
                store_either(to.data, to.is_bfloat16, at + 16, second, high);
            }
        }
    }
}

/// sums[groups · 16, columns] += turned · rows: `turned` is [groups][ROWS / 32][16][32], a group's sums follow `ld` · 16 floats later.
static void collect(
    const uint16_t *turned, ptrdiff_t groups, const uint16_t *x, ptrdiff_t stride, ptrdiff_t columns, float *sums,
    ptrdiff_t ld) {
    const __m512i low = _mm512_set_epi16(
        47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1,
        32, 0);
    const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
    uint16_t pairs[2 * ROWS / TERMS * TILE] __attribute__((aligned(64)));
    for (ptrdiff_t c = 0; c < columns; c += 32) {
        for (ptrdiff_t r = 0; r < ROWS; r += 2) {
            const __m512i first = _mm512_loadu_si512(x + r * stride + c);
            const __m512i second = _mm512_loadu_si512(x + (r + 1) * stride + c);
            uint16_t *to = pairs + r / TERMS * 2 * TILE + r % TERMS / 2 * 32;
            _mm512_store_si512(to, _mm512_permutex2var_epi16(first, low, second));
            _mm512_store_si512(to + TILE, _mm512_permutex2var_epi16(first, high, second));
        }
        for (ptrdiff_t g = 0; g < groups; g++) {
            float *to = sums + 16 * g * ld + c;
            _tile_loadd(0, to, ld * 4);
            _tile_loadd(1, to + 16, ld * 4);
            for (ptrdiff_t k = 0; k < ROWS / TERMS; k++) {
                _tile_loadd(4, turned + (g * (ROWS / TERMS) + k) * TILE, 64);
                _tile_loadd(6, pairs + k * 2 * TILE, 64);
                _tile_loadd(7, pairs + k * 2 * TILE + TILE, 64);
                _tile_dpbf16ps(0, 4, 6);
                _tile_dpbf16ps(1, 4, 7);
            }
            _tile_stored(0, to, ld * 4);
            _tile_stored(1, to + 16, ld * 4);
        }
    }
}

/// Ranks `first` up to `first` + 16 · groups of h [ROWS, ranks] as left factors, rows as terms: [groups][ROWS / 32][16][32].
static void turn(const float *h, ptrdiff_t ranks, ptrdiff_t first, ptrdiff_t groups, uint16_t *turned) {
    const v16i lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const __m512i rows = (__m512i)(lanes * (int32_t)ranks);
    for (ptrdiff_t g = 0; g < groups; g++) {
        for (ptrdiff_t k = 0; k < ROWS / TERMS; k++, turned += TILE) {
            for (ptrdiff_t j = 0; j < 16; j++) {
                const ptrdiff_t rank = first + 16 * g + j;
                const float *from = h + k * TERMS * ranks + (rank < ranks ? rank : 0);
                const __m512 early = _mm512_i32gather_ps(rows, from, 4);
                const __m512 late = _mm512_i32gather_ps(rows, from + 16 * ranks, 4);
                _mm512_storeu_si512(turned + j * TERMS, (__m512i)_mm512_cvtne2ps_pbh(late, early));
            }
        }
    }
}

/// h as bfloat16.
INLINE void narrow(const float *h, ptrdiff_t count, uint16_t *to) {
    for (ptrdiff_t i = 0; i < count; i += 32)
        _mm512_storeu_si512(
            to + i, (__m512i)_mm512_cvtne2ps_pbh((__m512)load16(h + i + 16), (__m512)load16(h + i)));
}

/// Copies a product's ranks of rows of h between its matrix and where all stand at even places.
INLINE void copy_ranks(const float *from, ptrdiff_t from_stride, float *to, ptrdiff_t to_stride, ptrdiff_t rank, ptrdiff_t rows) {
    for (ptrdiff_t i = 0; i < rows; i++) {
        EACH16(j, n, 0, rank) { store_n(to + i * to_stride + j, load_n(from + i * from_stride + j, n), n); }
    }
}

#endif
