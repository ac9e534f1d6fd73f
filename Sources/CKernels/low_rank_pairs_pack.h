// What the parts of low_rank_pairs.c share, and the packing of factors and rows of h; not part of the module.
// Included within the attribute that turns the instructions on, by the file that includes what stands before it.
#ifndef LOW_RANK_PAIRS_PACK_H
#define LOW_RANK_PAIRS_PACK_H

/// A call. Each product's ranks are a multiple of four, those that it does not have zeros.
typedef struct {
    const low_rank_args *args;
    ptrdiff_t ranks, inputs;             // of all products; of x, up to whole vectors
    uint16_t *down_rows, *down_pairs;    // A: [ranks][inputs], and pairs of ranks, [ranks / 2][inputs][2]
    uint16_t *up_rows, *up_pairs;        // scale · Bᵀ likewise, each product's behind the one before
    uint16_t *h_pairs, *gradient_pairs;  // h and its gradient as pairs of rows, [rows / 2][ranks][2]
    char *blocks;                        // of each part: ROWS rows of h, as floats and as bfloat16
    bool wants_hidden;                   // the gradient of h
} pairs_call;

/// A product's place in what is packed of all.
typedef struct {
    const vitrail_low_rank_product *product;
    ptrdiff_t ranks, outputs;                      // up to whole vectors
    ptrdiff_t first_rank, first_column, first_up;  // among all ranks with and without zeros, and of `up_rows`
} place;

static place place_of(const low_rank_args *args, ptrdiff_t index) {
    place at = {0};
    for (ptrdiff_t i = 0; i <= index; i++) {
        at.first_rank += at.ranks;
        at.first_column += i > 0 ? at.product->rank : 0;
        at.first_up += at.ranks * at.outputs;
        at.product = &args->products[i];
        at.ranks = up_to(at.product->rank, 4);
        at.outputs = up_to(at.product->outputs, 32);
    }
    return at;
}

INLINE void store_narrow(uint16_t *to, v16f v) { _mm256_storeu_si256((__m256i *)to, (__m256i)_mm512_cvtneps_pbh((__m512)v)); }

static void pack_down(const pairs_call *call, place at) {
    const vitrail_low_rank_product *p = at.product;
    const ptrdiff_t columns = call->args->x.columns, inputs = call->inputs;
    for (ptrdiff_t j = 0; j < at.ranks; j += 2) {
        const ptrdiff_t row = (at.first_rank + j) * inputs;
        for (ptrdiff_t c = 0; c < inputs; c += 16) {
            v16f pair[2];
            for (int i = 0; i < 2; i++)
                pair[i] = (v16f)_mm512_maskz_loadu_ps(
                    j + i < p->rank ? first16(columns - c) : 0, p->a + (j + i) * columns + c);
            if (call->down_pairs) {
                _mm512_storeu_si512(call->down_pairs + row + 2 * c, pairs_of(pair[0], pair[1]));
            } else {
                store_narrow(call->down_rows + row + c, pair[0]);
                store_narrow(call->down_rows + row + inputs + c, pair[1]);
            }
        }
    }
}

static void pack_up(const pairs_call *call, place at) {
    const vitrail_low_rank_product *p = at.product;
    for (ptrdiff_t c = 0; c < at.outputs; c += 16) {
        for (ptrdiff_t j = 0; j < at.ranks; j += 16) {
            v16f lanes[16];
            for (ptrdiff_t i = 0; i < 16; i++)
                lanes[i] = p->scale * (v16f)_mm512_maskz_loadu_ps(
                               c + i < p->outputs ? first16(p->rank - j) : 0, p->b + (c + i) * p->rank + j);
            transpose16(lanes);
            for (ptrdiff_t i = 0; i < lesser(16, at.ranks - j); i += 2) {
                const ptrdiff_t row = at.first_up + (j + i) * at.outputs;
                if (call->up_pairs) {
                    _mm512_storeu_si512(call->up_pairs + row + 2 * c, pairs_of(lanes[i], lanes[i + 1]));
                } else {
                    store_narrow(call->up_rows + row + c, lanes[i]);
                    store_narrow(call->up_rows + row + at.outputs + c, lanes[i + 1]);
                }
            }
        }
    }
}

/// A part is a product's A, or its B.
static void pack_task(void *context, int part, int parts) {
    (void)parts;
    const pairs_call *call = context;
    const place at = place_of(call->args, part / 2);
    if (part % 2 == 0) pack_down(call, at);
    else pack_up(call, at);
}

/// Rows of h as bfloat16; `count` is a multiple of four.
static void narrow_rows(const float *h, ptrdiff_t count, uint16_t *to) {
    EACH16(i, n, 0, count) store_either((float *)to, true, i, load_n(h + i, n), n);
}

/// Rows of h, from the first of two on, as pairs of rows; a last one's other half is zeros.
static void turn_rows(const float *h, ptrdiff_t rows, ptrdiff_t ranks, uint16_t *to) {
    for (ptrdiff_t i = 0; i < rows; i += 2, to += 2 * ranks) {
        const float *one = h + i * ranks;
        EACH16(j, n, 0, ranks) {
            const v16f second = i + 1 < rows ? load_n(one + ranks + j, n) : (v16f)0.0f;
            _mm512_mask_storeu_epi32(to + 2 * j, first16(n), pairs_of(load_n(one + j, n), second));
        }
    }
}

#endif
