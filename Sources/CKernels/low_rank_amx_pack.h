// What low-rank products on AMX tiles share, and the packing of their factors; not part of the module.
// Included within the attribute that turns the instructions on, by the file that includes what stands before it.
#ifndef LOW_RANK_AMX_PACK_H
#define LOW_RANK_AMX_PACK_H

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

#endif
