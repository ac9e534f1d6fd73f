// Low-rank products beside maps (LoRA): division over threads, and sums over them. Loops in low_rank_tasks.h, low_rank_amx.c and
// low_rank_pairs.c.
#include "low_rank_amx.h"
#include "low_rank_pairs.h"

#include <string.h>

vitrail_low_rank_limits vitrail_low_rank_most(bool in_bfloat16) {
    if (in_bfloat16 && low_rank_by_pairs()) return (vitrail_low_rank_limits){.rank = 64, .ranks = 192};
    return (vitrail_low_rank_limits){.rank = 16, .ranks = LOW_RANK_MOST_RANKS};
}

/// Parts of whole rows.
static int by_rows(vitrail_pool *pool, ptrdiff_t rows, ptrdiff_t columns) {
    return vitrail_parts(pool, rows, VITRAIL_GRAIN / (columns + 1) + 4);
}

/// The products' factors as the loops read them, in one block of scratch memory that begins at `down`.
static float *gather_factors(vitrail_pool *pool, low_rank_args *args) {
    const ptrdiff_t inputs = args->x.columns;
    args->ranks = args->up_count = 0;
    for (ptrdiff_t i = 0; i < args->count; i++) {
        args->ranks += args->products[i].rank;
        args->up_count += args->products[i].rank * args->products[i].outputs;
    }
    float *down = vitrail_scratch(pool, sizeof(float) * (size_t)(args->ranks * inputs + args->up_count));
    float *to = down, *up = down + args->ranks * inputs;
    args->down = down;
    args->up = up;
    for (const vitrail_low_rank_product *p = args->products; p < args->products + args->count; p++) {
        memcpy(to, p->a, sizeof(float) * (size_t)(p->rank * inputs));
        to += p->rank * inputs;
        for (ptrdiff_t c = 0; c < p->outputs; c++)
            for (ptrdiff_t j = 0; j < p->rank; j++) up[j * p->outputs + c] = p->scale * p->b[c * p->rank + j];
        up += p->rank * p->outputs;
    }
    return down;
}

void vitrail_low_rank(
    vitrail_pool *pool, const vitrail_low_rank_product *products, ptrdiff_t count, bool in_bfloat16, vitrail_matrix x,
    vitrail_matrix h, vitrail_matrix y) {
    if (x.rows <= 0 || count <= 0) return;
    low_rank_args args = {.products = products, .count = count, .x = x, .y = y, .h = h};
    const int parts = by_rows(pool, x.rows, x.columns + y.columns);
    if (in_bfloat16 && low_rank_on_tiles()) return low_rank_amx(pool, &args, parts);
    if (in_bfloat16 && low_rank_by_pairs()) return low_rank_pairs(pool, &args);
    float *factors = gather_factors(pool, &args);
    vitrail_pool_run(pool, vitrail_kernels()->low_rank, &args, parts);
    vitrail_pool_return(pool, factors);
}

void low_rank_store_b(const vitrail_low_rank_product *p, const float *sums, ptrdiff_t stride) {
    for (ptrdiff_t c = 0; c < p->outputs; c++) {
        for (ptrdiff_t j = 0; j < p->rank; j++) {
            float *to = p->b_gradient + c * p->rank + j;
            const float value = p->scale * sums[j * stride + c];
            *to = p->b_accumulate ? *to + value : value;
        }
    }
}

void vitrail_low_rank_gradient(
    vitrail_pool *pool, const vitrail_low_rank_product *products, ptrdiff_t count, bool in_bfloat16, vitrail_matrix x,
    vitrail_matrix h, vitrail_matrix gradient, vitrail_matrix x_gradient, bool x_accumulate) {
    if (count <= 0) return;
    low_rank_args args = {
        .products = products, .count = count, .x = x, .y = gradient, .h = h, .destination = x_gradient,
        .accumulate = x_accumulate};
    bool wants_a = false, wants_b = false;
    for (ptrdiff_t i = 0; i < count; i++) {
        wants_a = wants_a || products[i].a_gradient;
        wants_b = wants_b || products[i].b_gradient;
    }
    const int parts = by_rows(pool, x.rows, x.columns + gradient.columns);
    if (in_bfloat16 && low_rank_on_tiles()) return low_rank_amx_gradient(pool, &args, parts, wants_a, wants_b);
    if (in_bfloat16 && low_rank_by_pairs()) return low_rank_pairs_gradient(pool, &args);
    float *factors = gather_factors(pool, &args);
    const ptrdiff_t a_count = args.ranks * x.columns;
    const ptrdiff_t a_floats = wants_a ? parts * a_count : 0, b_floats = wants_b ? parts * args.up_count : 0;
    float *partials = a_floats + b_floats ? vitrail_scratch(pool, sizeof(float) * (size_t)(a_floats + b_floats)) : NULL;
    if (wants_a) args.a_partials = partials;
    if (wants_b) args.b_partials = partials + a_floats;
    vitrail_pool_run(pool, vitrail_kernels()->low_rank_gradient, &args, parts);
    ptrdiff_t at = 0, up = 0;
    if (wants_a) low_rank_add_parts(args.a_partials, parts, a_count);
    if (wants_b) low_rank_add_parts(args.b_partials, parts, args.up_count);
    for (const vitrail_low_rank_product *p = products; p < products + count; p++) {
        if (p->a_gradient)
            vitrail_add_partials(args.a_partials + at, 1, p->rank * x.columns, p->a_gradient, p->a_accumulate);
        if (p->b_gradient) low_rank_store_b(p, args.b_partials + up, p->outputs);
        at += p->rank * x.columns;
        up += p->rank * p->outputs;
    }
    if (partials) vitrail_pool_return(pool, partials);
    vitrail_pool_return(pool, factors);
}

void low_rank_add_parts(float *partials, int parts, ptrdiff_t count) {
    for (int part = 1; part < parts; part++)
        for (ptrdiff_t i = 0; i < count; i++) partials[i] += partials[part * count + i];
}
