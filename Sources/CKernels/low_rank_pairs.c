// Low-rank products beside maps by AVX-512's dot products of pairs of bfloat16, for processors without tiles.
//
// A call is two or three phases of one run: factors are packed; rows of h, y and x's gradient are made, a few rows at a time; and
// gradients of factors are summed over all rows, a few columns at a time, so that nobody adds up what others have summed.
#include "low_rank_pairs.h"

#if PRODUCT_X86

#include <immintrin.h>

#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,avx512bf16"))), apply_to = function)
#define VITRAIL_WIDE 1
#define VITRAIL_ROUNDS 1
#include "vector.h"

#include "lanes.h"
#include "low_rank_pairs_loops.h"

/// Rows that stay in the first-level cache between loops, and columns of a part of a factor's gradient.
enum { ROWS = 32, COLUMNS = 32 };

#include "low_rank_pairs_pack.h"

static size_t block_bytes(ptrdiff_t ranks) { return (size_t)up_to(ROWS * ranks * 6, 64); }

static void forward_task(void *context, int part, int parts) {
    const pairs_call *call = context;
    const low_rank_args *a = call->args;
    float *h = (float *)(call->blocks + (size_t)part * block_bytes(call->ranks));
    uint16_t *narrow = (uint16_t *)(h + ROWS * call->ranks);
    ptrdiff_t begin, end;
    vitrail_share(a->x.rows, 8, part, parts, &begin, &end);
    for (ptrdiff_t row = begin; row < end; row += ROWS) {
        const ptrdiff_t rows = lesser(ROWS, end - row);
        dots_of(
            a->x, row, rows, 0, a->x.columns, (brain_rows){call->down_rows, call->inputs}, call->ranks, h, call->ranks);
        narrow_rows(h, rows * call->ranks, narrow);
        for (ptrdiff_t index = 0; index < a->count; index++) {
            const place at = place_of(a, index);
            const vitrail_low_rank_product *p = at.product;
            for (ptrdiff_t i = 0; i < rows; i++)
                memcpy(
                    a->h.data + (row + i) * a->h.stride + at.first_column, h + i * call->ranks + at.first_rank,
                    sizeof(float) * (size_t)p->rank);
            spread_of(
                a->y, row, rows, p->first, p->outputs, (brain_rows){narrow + at.first_rank, call->ranks}, at.ranks,
                (brain_rows){call->up_pairs + at.first_up, at.outputs}, true);
        }
    }
}

static void gradient_task(void *context, int part, int parts) {
    const pairs_call *call = context;
    const low_rank_args *a = call->args;
    const ptrdiff_t ranks = call->ranks;
    float *h = (float *)(call->blocks + (size_t)part * block_bytes(ranks));
    uint16_t *narrow = (uint16_t *)(h + ROWS * ranks);
    ptrdiff_t begin, end;
    vitrail_share(a->y.rows, 8, part, parts, &begin, &end);
    for (ptrdiff_t row = begin; row < end; row += ROWS) {
        const ptrdiff_t rows = lesser(ROWS, end - row);
        memset(h, 0, sizeof(float) * (size_t)(rows * ranks));
        for (ptrdiff_t index = 0; index < a->count; index++) {
            const place at = place_of(a, index);
            for (ptrdiff_t i = 0; i < rows; i++)
                memcpy(
                    h + i * ranks + at.first_rank, a->h.data + (row + i) * a->h.stride + at.first_column,
                    sizeof(float) * (size_t)at.product->rank);
        }
        turn_rows(h, rows, ranks, call->h_pairs + row * ranks);
        if (!call->wants_hidden) continue;
        for (ptrdiff_t index = 0; index < a->count; index++) {
            const place at = place_of(a, index);
            dots_of(
                a->y, row, rows, at.product->first, at.product->outputs,
                (brain_rows){call->up_rows + at.first_up, at.outputs}, at.ranks, h + at.first_rank, ranks);
        }
        turn_rows(h, rows, ranks, call->gradient_pairs + row * ranks);
        if (!a->destination.data) continue;
        narrow_rows(h, rows * ranks, narrow);
        spread_of(
            a->destination, row, rows, 0, a->x.columns, (brain_rows){narrow, ranks}, ranks,
            (brain_rows){call->down_pairs, call->inputs}, a->accumulate);
    }
}

/// Columns of A's gradients.
static void sum_down(const pairs_call *call, place at, ptrdiff_t first) {
    const vitrail_low_rank_product *p = at.product;
    const vitrail_matrix x = call->args->x;
    const ptrdiff_t columns = lesser(COLUMNS, x.columns - first);
    for (ptrdiff_t j = 0; j < at.ranks; j += at.ranks - j >= 8 ? 8 : 4) {
        float sums[8][COLUMNS];
        collect_of(
            at.ranks - j >= 8 ? 8 : 4, x, first, columns,
            (brain_rows){call->gradient_pairs + 2 * (at.first_rank + j), call->ranks}, sums);
        for (ptrdiff_t i = 0; i < lesser(8, p->rank - j); i++)
            vitrail_add_partials(sums[i], 1, columns, p->a_gradient + (j + i) * x.columns + first, p->a_accumulate);
    }
}

/// Columns of y's gradient as rows of B's.
static void sum_up(const pairs_call *call, place at, ptrdiff_t first) {
    const vitrail_low_rank_product *p = at.product;
    const ptrdiff_t columns = lesser(COLUMNS, p->outputs - first);
    for (ptrdiff_t j = 0; j < at.ranks; j += at.ranks - j >= 8 ? 8 : 4) {
        float sums[8][COLUMNS];
        collect_of(
            at.ranks - j >= 8 ? 8 : 4, call->args->y, p->first + first, columns,
            (brain_rows){call->h_pairs + 2 * (at.first_rank + j), call->ranks}, sums);
        for (ptrdiff_t c = 0; c < columns; c++) {
            float *to = p->b_gradient + (first + c) * p->rank + j;
            for (ptrdiff_t i = 0; i < lesser(8, p->rank - j); i++)
                to[i] = p->scale * sums[i][c] + (p->b_accumulate ? to[i] : 0.0f);
        }
    }
}

static ptrdiff_t windows(ptrdiff_t columns) { return (columns + COLUMNS - 1) / COLUMNS; }

/// A part is a window of columns: of A's gradients first, then of B's, product by product.
static void sums_task(void *context, int part, int parts) {
    (void)parts;
    const pairs_call *call = context;
    ptrdiff_t window = part;
    for (ptrdiff_t index = 0; index < call->args->count; index++) {
        const place at = place_of(call->args, index);
        const ptrdiff_t down = windows(call->args->x.columns), up = windows(at.product->outputs);
        if (window < down && at.product->a_gradient) sum_down(call, at, window * COLUMNS);
        if (window >= down && window < down + up && at.product->b_gradient) sum_up(call, at, (window - down) * COLUMNS);
        window -= down + up;
        if (window < 0) return;
    }
}

/// Rows and sums in parts that threads take in turn.
static int row_parts(const vitrail_pool *pool, const low_rank_args *args) {
    return vitrail_pieces(pool, args->x.rows, VITRAIL_GRAIN / (args->x.columns + args->y.columns + 1) + 4);
}

void low_rank_pairs(vitrail_pool *pool, const low_rank_args *args) {
    pairs_call call = {.args = args, .inputs = up_to(args->x.columns, 32)};
    const place last = place_of(args, args->count - 1);
    call.ranks = last.first_rank + last.ranks;
    const ptrdiff_t down = call.ranks * call.inputs, up = last.first_up + last.ranks * last.outputs;
    const int parts = row_parts(pool, args);
    call.down_rows = vitrail_scratch(pool, 2 * (size_t)(down + up) + (size_t)parts * block_bytes(call.ranks));
    call.up_pairs = call.down_rows + down;
    call.blocks = (char *)(call.up_pairs + up);
    const vitrail_phase phases[] = {
        {.task = pack_task, .context = &call, .parts = 2 * (int)args->count},
        {.task = forward_task, .context = &call, .parts = parts},
    };
    vitrail_pool_run_phases(pool, phases, 2);
    vitrail_pool_return(pool, call.down_rows);
}

void low_rank_pairs_gradient(vitrail_pool *pool, const low_rank_args *args) {
    pairs_call call = {.args = args, .inputs = up_to(args->x.columns, 32), .wants_hidden = args->destination.data != NULL};
    const place last = place_of(args, args->count - 1);
    call.ranks = last.first_rank + last.ranks;
    const ptrdiff_t down = call.ranks * call.inputs, up = last.first_up + last.ranks * last.outputs;
    const ptrdiff_t turned = up_to(args->y.rows, 2) * call.ranks;
    int sums = 0;
    for (ptrdiff_t i = 0; i < args->count; i++) {
        call.wants_hidden = call.wants_hidden || args->products[i].a_gradient;
        sums += (int)(windows(args->x.columns) + windows(args->products[i].outputs));
    }
    const int parts = row_parts(pool, args);
    call.down_pairs = vitrail_scratch(pool, 2 * (size_t)(down + up + 2 * turned) + (size_t)parts * block_bytes(call.ranks));
    call.up_rows = call.down_pairs + down;
    call.h_pairs = call.up_rows + up;
    call.gradient_pairs = call.h_pairs + turned;
    call.blocks = (char *)(call.gradient_pairs + turned);
    const vitrail_phase phases[] = {
        {.task = pack_task, .context = &call, .parts = 2 * (int)args->count},
        {.task = gradient_task, .context = &call, .parts = parts},
        {.task = sums_task, .context = &call, .parts = sums},
    };
    vitrail_pool_run_phases(pool, phases, 3);
    vitrail_pool_return(pool, call.down_pairs);
}

#pragma clang attribute pop

#else

void low_rank_pairs(vitrail_pool *pool, const low_rank_args *args) { (void)pool, (void)args; }

void low_rank_pairs_gradient(vitrail_pool *pool, const low_rank_args *args) { (void)pool, (void)args; }

#endif
