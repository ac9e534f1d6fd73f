// Low-rank products beside maps on tiles of bfloat16 (AMX), for precisions that round factors anyway.
//
// Ranks are few: each tile instruction does what 16 vector instructions do, so that the time is that of reading x, y and their
// gradients once. The ranks of all products stand side by side, each product's beginning at an even one, so that a pair of terms
// never belongs to two.
#include "low_rank_amx.h"

#if PRODUCT_X86

#include "tiles.h"

#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,avx512bf16,amx-tile,amx-bf16"))), apply_to = function)
#define VITRAIL_WIDE 1
#define VITRAIL_ROUNDS 1
#include "vector.h"

#include "low_rank_amx_pack.h"
#include "low_rank_amx_tiles.h"

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
