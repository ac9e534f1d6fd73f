// Elementwise kernels: how much work is worth a thread, and column sums. The loops are in elementwise_tasks.h.
#include "kernel_table.h"

/// A transcendental function costs about four plain elements.
enum { HEAVY_GRAIN = VITRAIL_GRAIN / 4 };

static void run(vitrail_pool *pool, vitrail_task task, elementwise_args *args, ptrdiff_t grain) {
    if (args->count > 0) vitrail_pool_run_dynamic(pool, task, args, vitrail_pieces(pool, args->count, grain));
}

/// Matrices without gaps, as rows of all their elements.
static void run_flat(vitrail_pool *pool, vitrail_task task, const rows_args *args) {
    ptrdiff_t count = args->x.rows * args->x.columns;
    if (count > 0) vitrail_pool_run_dynamic(pool, task, (void *)args, vitrail_pieces(pool, count, HEAVY_GRAIN));
}

void vitrail_fill(vitrail_pool *pool, float *destination, ptrdiff_t count, float value) {
    elementwise_args args = {.destination = destination, .count = count, .factor = value};
    run(pool, vitrail_kernels()->fill, &args, 2 * VITRAIL_GRAIN);
}

void vitrail_add(vitrail_pool *pool, const float *a, const float *b, float *destination, ptrdiff_t count) {
    elementwise_args args = {.a = a, .b = b, .destination = destination, .count = count};
    run(pool, vitrail_kernels()->add, &args, VITRAIL_GRAIN);
}

void vitrail_scale(
    vitrail_pool *pool, const float *source, float factor, float *destination, ptrdiff_t count, bool accumulate) {
    elementwise_args args = {
        .a = source, .destination = destination, .count = count, .factor = factor, .accumulate = accumulate};
    run(pool, vitrail_kernels()->scale, &args, VITRAIL_GRAIN);
}

void vitrail_multiply(
    vitrail_pool *pool, const float *a, const float *b, float *destination, ptrdiff_t count, bool accumulate) {
    elementwise_args args = {.a = a, .b = b, .destination = destination, .count = count, .accumulate = accumulate};
    run(pool, vitrail_kernels()->multiply, &args, VITRAIL_GRAIN);
}

void vitrail_activation(
    vitrail_pool *pool, vitrail_activation_kind function, vitrail_matrix x, vitrail_matrix destination) {
    rows_args args = {.x = x, .destination = destination, .function = (int)function};
    run_flat(pool, vitrail_kernels()->activation, &args);
}

void vitrail_activation_gradient(
    vitrail_pool *pool, vitrail_activation_kind function, vitrail_matrix x, vitrail_matrix gradient,
    vitrail_matrix destination, bool accumulate, vitrail_matrix value) {
    rows_args args = {
        .x = x,
        .y = gradient,
        .destination = destination,
        .value = value,
        .function = (int)function,
        .accumulate = accumulate,
    };
    run_flat(pool, vitrail_kernels()->activation_gradient, &args);
}

void vitrail_dropout(
    vitrail_pool *pool, const float *x, float rate, uint64_t seed, float *destination, ptrdiff_t count,
    bool accumulate) {
    elementwise_args args = {
        .a = x, .destination = destination, .count = count, .factor = rate, .seed = seed, .accumulate = accumulate};
    run(pool, vitrail_kernels()->dropout, &args, HEAVY_GRAIN);
}

void vitrail_scale_columns(
    vitrail_pool *pool, vitrail_matrix x, const float *vector, vitrail_matrix destination, bool accumulate) {
    rows_args args = {.x = x, .destination = destination, .vector = vector, .accumulate = accumulate};
    if (x.rows == 0 || x.columns == 0) return;
    vitrail_pool_run_dynamic(
        pool, vitrail_kernels()->scale_columns, &args,
        vitrail_pieces(pool, x.rows, VITRAIL_GRAIN / x.columns + 1));
}

void vitrail_sum_rows(
    vitrail_pool *pool, vitrail_matrix a, const vitrail_matrix *b, float *destination, bool accumulate) {
    if (a.columns == 0) return;
    int parts = vitrail_parts(pool, a.rows, VITRAIL_GRAIN / a.columns + 1);
    rows_args args = {.x = a, .accumulate = accumulate};
    if (b) args.y = *b;
    args.partials = vitrail_scratch(pool, sizeof(float) * (size_t)(parts * a.columns));
    vitrail_pool_run(pool, vitrail_kernels()->sum_rows, &args, parts);
    vitrail_add_partials(args.partials, parts, a.columns, destination, accumulate);
    vitrail_pool_return(pool, args.partials);
}

void vitrail_gated_activation(
    vitrail_pool *pool, vitrail_activation_kind function, vitrail_matrix x, vitrail_matrix destination) {
    rows_args args = {.x = x, .destination = destination, .function = (int)function};
    if (destination.rows == 0 || destination.columns == 0) return;
    vitrail_pool_run_dynamic(
        pool, vitrail_kernels()->gated_activation, &args,
        vitrail_pieces(pool, destination.rows, HEAVY_GRAIN / destination.columns + 1));
}

void vitrail_gated_activation_gradient(
    vitrail_pool *pool, vitrail_activation_kind function, vitrail_matrix x, vitrail_matrix gradient,
    vitrail_matrix destination, bool accumulate, vitrail_matrix value) {
    rows_args args = {
        .x = x,
        .y = gradient,
        .destination = destination,
        .value = value,
        .function = (int)function,
        .accumulate = accumulate,
    };
    if (gradient.rows == 0 || gradient.columns == 0) return;
    vitrail_pool_run_dynamic(
        pool, vitrail_kernels()->gated_activation_gradient, &args,
        vitrail_pieces(pool, gradient.rows, HEAVY_GRAIN / gradient.columns + 1));
}

void vitrail_add_partials(
    const float *partials, int parts, ptrdiff_t columns, float *destination, bool accumulate) {
    if (!accumulate) {
        for (ptrdiff_t c = 0; c < columns; c++) destination[c] = 0.0f;
    }
    for (int part = 0; part < parts; part++)
        for (ptrdiff_t c = 0; c < columns; c++) destination[c] += partials[part * columns + c];
}
