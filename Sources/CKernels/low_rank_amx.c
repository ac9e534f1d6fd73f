// Low-rank products beside maps on tiles of bfloat16 (AMX), for precisions that round factors anyway.
//
// Ranks are few: each tile instruction does what 16 vector instructions do, so that the time is that of reading x, y and their
// gradients once. The ranks of all products stand side by side, each product's beginning at an even one, so that a pair of terms
// never belongs to two.
#include "low_rank_amx.h"

#if PRODUCT_X86

#include <immintrin.h>

#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,avx512bf16,amx-tile,amx-bf16"))), apply_to = function)
#define VITRAIL_WIDE 1
#define VITRAIL_ROUNDS 1
#include "vector.h"

/// Rows between two visits to the sums of gradients; terms that a tile instruction takes; elements of a packed tile.
enum { ROWS = 64, TERMS = 32, TILE = 16 * TERMS };

/// What a call's parts share.
typedef struct {
    const low_rank_args *args;
    ptrdiff_t ranks;                  // even for each product, a multiple of 32 together
    ptrdiff_t inputs, outputs;        // of x and y, rounded up to multiples of 32
    uint16_t *down_dots, *down_rows;  // A with inputs as terms, and with ranks as terms
    uint16_t *up_dots, *up_rows;      // scale · B likewise: a product's own tiles, and one matrix of all products
    float *a_partials, *b_partials;   // [parts, ranks, inputs], [parts, b_count], or NULL
    ptrdiff_t b_count;
    char *scratch;
    size_t scratch_bytes;             // of a part
} tiles;

INLINE ptrdiff_t up_to(ptrdiff_t count, ptrdiff_t unit) { return (count + unit - 1) / unit * unit; }
INLINE ptrdiff_t lesser(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

/// Ranks of a product among those of all.
INLINE ptrdiff_t even_rank(const vitrail_low_rank_product *p) { return up_to(p->rank, 2); }

/// Two rows of 16 as 16 pairs of terms.
INLINE __m512i pairs_of(v16f first, v16f second) {
    const __m512i order = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1,
        16, 0);
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
}

/// A with inputs as terms: [inputs / 32][ranks / 16][16 pairs][16 ranks][2]; ranks of the product from `at` on.
static void pack_down_dots(const tiles *t, const float *a, ptrdiff_t rank, ptrdiff_t at) {
    const v16i lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const __m512i steps = (__m512i)(lanes * 16);
    const ptrdiff_t inputs = t->args->x.columns, block = t->ranks / 16 * TILE;
    for (ptrdiff_t j = 0; j < rank; j++) {
        const ptrdiff_t lane = at + j;
        EACH16(half, n, 0, (inputs + 1) / 2) {
            const ptrdiff_t p = 2 * half, count = inputs - p;
            const v16f low = load_n(a + j * inputs + p, lesser(count, 16));
            const v16f high = count > 16 ? load_n(a + j * inputs + p + 16, lesser(count - 16, 16)) : (v16f)0.0f;
            int32_t *to = (int32_t *)(t->down_dots + p / TERMS * block + lane / 16 * TILE) + lane % 16;
            _mm512_i32scatter_epi32(to, steps, (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low), 4);
        }
    }
}

/// A with ranks as terms: [inputs / 16][ranks / 32][16 pairs][16 inputs][2].
static void pack_down_rows(const tiles *t, const float *a, ptrdiff_t rank, ptrdiff_t at) {
    const ptrdiff_t inputs = t->args->x.columns, column_tiles = t->ranks / TERMS * TILE;
    for (ptrdiff_t j = 0; j < rank; j += 2) {
        uint16_t *to = t->down_rows + (at + j) / TERMS * TILE + (at + j) % TERMS / 2 * 32;
        EACH16(c, n, 0, inputs) {
            const v16f first = load_n(a + j * inputs + c, n);
            const v16f second = j + 1 < rank ? load_n(a + (j + 1) * inputs + c, n) : (v16f)0.0f;
            _mm512_storeu_si512(to + c / 16 * column_tiles, pairs_of(first, second));
        }
    }
}

/// scale · B with outputs as terms: [outputs / 32][rank / 16][16 pairs][16 ranks][2].
static void pack_up_dots(const vitrail_low_rank_product *p, uint16_t *out) {
    const ptrdiff_t groups = (p->rank + 15) / 16;
    for (ptrdiff_t c = 0; c < p->outputs; c += 2) {
        for (ptrdiff_t g = 0; g < groups; g++) {
            const float *b = p->b + c * p->rank + 16 * g;
            const ptrdiff_t n = lesser(16, p->rank - 16 * g);
            const v16f first = load_n(b, n), second = c + 1 < p->outputs ? load_n(b + p->rank, n) : (v16f)0.0f;
            _mm512_storeu_si512(
                out + (c / TERMS * groups + g) * TILE + c % TERMS / 2 * 32, pairs_of(first * p->scale, second * p->scale));
        }
    }
}

/// scale · Bᵀ of all products as one matrix, ranks as terms: [columns of y / 16][ranks / 32][16 pairs][16 columns][2].
static void pack_up_rows(const tiles *t, const vitrail_low_rank_product *p, ptrdiff_t at) {
    const ptrdiff_t column_tiles = t->ranks / TERMS * TILE;
    const v16i lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const __m512i rows = (__m512i)(lanes * (int32_t)p->rank);
    for (ptrdiff_t j = 0; j < p->rank; j += 2) {
        uint16_t *to = t->up_rows + (at + j) / TERMS * TILE + (at + j) % TERMS / 2 * 32;
        for (ptrdiff_t c = 0; c < p->outputs;) {
            // Up to the next 16 columns of y; a product need not begin there.
            const ptrdiff_t lane = (p->first + c) % 16, n = lesser(16 - lane, p->outputs - c);
            const __mmask16 mask = (__mmask16)((1 << n) - 1), shifted = (__mmask16)(mask << lane);
            const float *b = p->b + c * p->rank + j;
            const __m512 zero = _mm512_setzero_ps();
            const v16f first = (v16f)_mm512_mask_i32gather_ps(zero, mask, rows, b, 4);
            const v16f second = j + 1 < p->rank ? (v16f)_mm512_mask_i32gather_ps(zero, mask, rows, b + 1, 4) : (v16f)0.0f;
            uint16_t *tile = to + (p->first + c) / 16 * column_tiles;
            const __m512i pairs = pairs_of(first * p->scale, second * p->scale);
            if (n == 16) _mm512_storeu_si512(tile, pairs);
            else _mm512_mask_storeu_epi32((int32_t *)tile, shifted, _mm512_maskz_expand_epi32(shifted, pairs));
            c += n;
        }
    }
}

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

/// A part's scratch: copies of rows of x and y, h or its gradient in both types, their turned form.
typedef struct {
    uint16_t *x, *y, *narrow, *turned;
    float *h, *sums;
} scratch;

static size_t scratch_bytes(const tiles *t) {
    const ptrdiff_t halves = ROWS * (t->inputs + t->outputs + 2 * TERMS + t->ranks) + (t->ranks + 16) * ROWS;
    return (size_t)up_to(2 * halves + 4 * (ROWS * (t->ranks + 16) + ROWS * (t->ranks + 16)) + 4096, 4096);
}

static scratch scratch_of(const tiles *t, int part) {
    scratch s;
    s.h = (float *)(t->scratch + (size_t)part * t->scratch_bytes);
    s.sums = s.h + ROWS * (t->ranks + 16);
    s.narrow = (uint16_t *)(s.sums + ROWS * (t->ranks + 16));
    s.turned = s.narrow + ROWS * t->ranks;
    s.x = s.turned + (t->ranks + 16) * ROWS;
    s.y = s.x + ROWS * (t->inputs + TERMS);
    return s;
}

static void forward_task(void *context, int part, int parts) {
    const tiles *t = context;
    const low_rank_args *a = t->args;
    const scratch s = scratch_of(t, part);
    ptrdiff_t begin, end;
    vitrail_share(a->x.rows, ROWS, part, parts, &begin, &end);
    if (begin == end) return;
    amx_start();
    for (ptrdiff_t row = begin; row < end; row += ROWS) {
        const ptrdiff_t rows = lesser(ROWS, end - row);
        const brain_rows x = rows_of(a->x, row, rows, a->x.columns % TERMS == 0, s.x);
        for (ptrdiff_t i = 0; i < ROWS; i += 32)
            for (ptrdiff_t g = 0; g < t->ranks / 16; g++)
                dots(
                    x.data + i * x.stride, x.stride, t->down_dots + g * TILE, t->ranks / 16 * TILE, t->inputs / TERMS,
                    s.h + i * t->ranks + 16 * g, t->ranks);
        ptrdiff_t at = 0, rank = 0;
        for (const vitrail_low_rank_product *p = a->products; p < a->products + a->count; p++) {
            copy_ranks(s.h + at, t->ranks, a->h.data + row * a->h.stride + rank, a->h.stride, p->rank, rows);
            at += even_rank(p);
            rank += p->rank;
        }
        narrow(s.h, ROWS * t->ranks, s.narrow);
        spread(s.narrow, t->ranks, t->up_rows, a->y, row, rows, true);
    }
    amx_stop();
}

static void gradient_task(void *context, int part, int parts) {
    const tiles *t = context;
    const low_rank_args *a = t->args;
    const scratch s = scratch_of(t, part);
    float *da = t->a_partials ? t->a_partials + part * t->ranks * t->inputs : NULL;
    float *db = t->b_partials ? t->b_partials + part * t->b_count : NULL;
    if (da) memset(da, 0, sizeof(float) * (size_t)(t->ranks * t->inputs));
    if (db) memset(db, 0, sizeof(float) * (size_t)t->b_count);
    bool whole = a->y.columns % TERMS == 0;
    for (ptrdiff_t i = 0; i < a->count; i++) whole = whole && a->products[i].outputs % TERMS == 0;
    ptrdiff_t begin, end;
    vitrail_share(a->y.rows, ROWS, part, parts, &begin, &end);
    if (begin == end) return;
    amx_start();
    for (ptrdiff_t row = begin; row < end; row += ROWS) {
        const ptrdiff_t rows = lesser(ROWS, end - row);
        const brain_rows y = rows_of(a->y, row, rows, whole, s.y);
        ptrdiff_t at = 0, rank = 0;
        if (db) {
            float *to = db;
            memset(s.h, 0, sizeof(float) * (size_t)(ROWS * (t->ranks + 16)));
            for (const vitrail_low_rank_product *p = a->products; p < a->products + a->count; p++) {
                const ptrdiff_t groups = (p->rank + 15) / 16, columns = up_to(p->outputs, TERMS);
                copy_ranks(a->h.data + row * a->h.stride + rank, a->h.stride, s.h, 16 * groups, p->rank, rows);
                turn(s.h, 16 * groups, 0, groups, s.turned);
                collect(s.turned, groups, y.data + p->first, y.stride, columns, to, columns);
                to += 16 * groups * columns;
                rank += p->rank;
            }
        }
        if (!da && !a->destination.data) continue;
        const uint16_t *up = t->up_dots;
        memset(s.h, 0, sizeof(float) * (size_t)(ROWS * t->ranks));
        for (const vitrail_low_rank_product *p = a->products; p < a->products + a->count; p++) {
            const ptrdiff_t groups = (p->rank + 15) / 16, blocks = up_to(p->outputs, TERMS) / TERMS;
            for (ptrdiff_t g = 0; g < groups; g++)
                for (ptrdiff_t i = 0; i < ROWS; i += 32)
                    dots(
                        y.data + i * y.stride + p->first, y.stride, up + g * TILE, groups * TILE, blocks,
                        s.sums + i * 16 * groups + 16 * g, 16 * groups);
            copy_ranks(s.sums, 16 * groups, s.h + at, t->ranks, p->rank, rows);
            up += blocks * groups * TILE;
            at += even_rank(p);
        }
        if (da) {
            const brain_rows x = rows_of(a->x, row, rows, a->x.columns % TERMS == 0, s.x);
            turn(s.h, t->ranks, 0, t->ranks / 16, s.turned);
            collect(s.turned, t->ranks / 16, x.data, x.stride, t->inputs, da, t->inputs);
        }
        if (a->destination.data) {
            narrow(s.h, ROWS * t->ranks, s.narrow);
            spread(s.narrow, t->ranks, t->down_rows, a->destination, row, rows, a->accumulate);
        }
    }
    amx_stop();
}

/// The sizes of what is packed.
static tiles plan(const low_rank_args *args) {
    tiles t = {.args = args, .inputs = up_to(args->x.columns, TERMS), .outputs = up_to(args->y.columns, TERMS)};
    for (ptrdiff_t i = 0; i < args->count; i++) {
        const vitrail_low_rank_product *p = &args->products[i];
        t.ranks += even_rank(p);
        t.b_count += up_to(p->rank, 16) * up_to(p->outputs, TERMS);
    }
    t.ranks = up_to(t.ranks, TERMS);
    t.scratch_bytes = scratch_bytes(&t);
    return t;
}

void low_rank_amx(vitrail_pool *pool, low_rank_args *args, int parts) {
    tiles t = plan(args);
    const ptrdiff_t down = t.ranks * t.inputs, up = t.ranks * t.outputs;
    t.down_dots = vitrail_scratch(pool, sizeof(uint16_t) * (size_t)(down + up));
    t.up_rows = t.down_dots + down;
    memset(t.down_dots, 0, sizeof(uint16_t) * (size_t)(down + up));
    ptrdiff_t at = 0;
    for (ptrdiff_t i = 0; i < args->count; i++) {
        const vitrail_low_rank_product *p = &args->products[i];
        pack_down_dots(&t, p->a, p->rank, at);
        pack_up_rows(&t, p, at);
        at += even_rank(p);
    }
    t.scratch = vitrail_scratch(pool, (size_t)parts * t.scratch_bytes);
    vitrail_pool_run(pool, forward_task, &t, parts);
    vitrail_pool_return(pool, t.scratch);
    vitrail_pool_return(pool, t.down_dots);
}

void low_rank_amx_gradient(vitrail_pool *pool, low_rank_args *args, int parts, bool wants_a, bool wants_b) {
    tiles t = plan(args);
    const ptrdiff_t down = t.ranks * t.inputs;
    t.down_rows = vitrail_scratch(pool, sizeof(uint16_t) * (size_t)(down + t.b_count));
    t.up_dots = t.down_rows + down;
    memset(t.down_rows, 0, sizeof(uint16_t) * (size_t)(down + t.b_count));
    ptrdiff_t at = 0;
    uint16_t *up = t.up_dots;
    for (ptrdiff_t i = 0; i < args->count; i++) {
        const vitrail_low_rank_product *p = &args->products[i];
        pack_down_rows(&t, p->a, p->rank, at);
        pack_up_dots(p, up);
        up += up_to(p->outputs, TERMS) * up_to(p->rank, 16);
        at += even_rank(p);
    }
    const ptrdiff_t a_floats = wants_a ? parts * down : 0, b_floats = wants_b ? parts * t.b_count : 0;
    float *partials = a_floats + b_floats ? vitrail_scratch(pool, sizeof(float) * (size_t)(a_floats + b_floats)) : NULL;
    if (wants_a) t.a_partials = partials;
    if (wants_b) t.b_partials = partials + a_floats;
    t.scratch = vitrail_scratch(pool, (size_t)parts * t.scratch_bytes);
    vitrail_pool_run(pool, gradient_task, &t, parts);
    vitrail_pool_return(pool, t.scratch);
    if (wants_a) low_rank_add_parts(t.a_partials, parts, down);
    if (wants_b) low_rank_add_parts(t.b_partials, parts, t.b_count);
    const float *a_sums = t.a_partials, *b_sums = t.b_partials;
    for (ptrdiff_t i = 0; i < args->count; i++) {
        const vitrail_low_rank_product *p = &args->products[i];
        for (ptrdiff_t j = 0; p->a_gradient && j < p->rank; j++)
            vitrail_add_partials(
                a_sums + j * t.inputs, 1, args->x.columns, p->a_gradient + j * args->x.columns, p->a_accumulate);
        if (p->b_gradient) low_rank_store_b(p, b_sums, up_to(p->outputs, TERMS));
        if (a_sums) a_sums += even_rank(p) * t.inputs;
        if (b_sums) b_sums += up_to(p->rank, 16) * up_to(p->outputs, TERMS);
    }
    if (partials) vitrail_pool_return(pool, partials);
    vitrail_pool_return(pool, t.down_rows);
}

#pragma clang attribute pop

#else

void low_rank_amx(vitrail_pool *pool, low_rank_args *args, int parts) { (void)pool, (void)args, (void)parts; }

void low_rank_amx_gradient(vitrail_pool *pool, low_rank_args *args, int parts, bool wants_a, bool wants_b) {
    (void)pool, (void)args, (void)parts, (void)wants_a, (void)wants_b;
}

#endif
