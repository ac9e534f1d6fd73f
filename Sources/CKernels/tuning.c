// What tuning methods add to a network: low-rank products beside a map, and weights kept as codes. Loops in tuning_tasks.h.
#include "kernel_table.h"

/// Parts of whole rows.
static int by_rows(vitrail_pool *pool, ptrdiff_t rows, ptrdiff_t columns) {
    return vitrail_parts(pool, rows, VITRAIL_GRAIN / (columns + 1) + 4);
}

/// scale · Bᵀ, `[rank, outputs]`, in scratch memory.
static float *transposed_up(vitrail_pool *pool, const float *b, ptrdiff_t outputs, ptrdiff_t rank, float scale) {
    float *up = vitrail_scratch(pool, sizeof(float) * (size_t)(rank * outputs));
    for (ptrdiff_t c = 0; c < outputs; c++)
        for (ptrdiff_t j = 0; j < rank; j++) up[j * outputs + c] = scale * b[c * rank + j];
    return up;
}

void vitrail_low_rank(
    vitrail_pool *pool, vitrail_matrix x, const float *a, const float *b, ptrdiff_t rank, float scale, float *h,
    vitrail_matrix y) {
    if (x.rows <= 0 || rank <= 0) return;
    low_rank_args args = {
        .x = x, .y = y, .a = a, .up = transposed_up(pool, b, y.columns, rank, scale), .h = h, .rank = rank};
    vitrail_pool_run(pool, vitrail_kernels()->low_rank, &args, by_rows(pool, x.rows, x.columns + y.columns));
    vitrail_pool_return(pool, args.up);
}

void vitrail_low_rank_gradient(
    vitrail_pool *pool, vitrail_matrix x, const float *a, const float *b, ptrdiff_t rank, float scale, const float *h,
    vitrail_matrix gradient, float *a_gradient, bool a_accumulate, float *b_gradient, bool b_accumulate,
    vitrail_matrix x_gradient, bool x_accumulate) {
    if (rank <= 0) return;
    const ptrdiff_t inputs = x.columns, outputs = gradient.columns;
    low_rank_args args = {
        .x = x,
        .y = gradient,
        .destination = x_gradient,
        .a = a,
        .up = transposed_up(pool, b, outputs, rank, scale),
        .h = (float *)h,
        .rank = rank,
        .accumulate = x_accumulate,
    };
    const int parts = by_rows(pool, x.rows, inputs + outputs);
    const size_t a_bytes = a_gradient ? sizeof(float) * (size_t)(parts * rank * inputs) : 0;
    const size_t b_bytes = b_gradient ? sizeof(float) * (size_t)(parts * rank * outputs) : 0;
    char *partials = a_bytes + b_bytes ? vitrail_scratch(pool, a_bytes + b_bytes) : NULL;
    if (a_gradient) args.a_partials = (float *)partials;
    if (b_gradient) args.b_partials = (float *)(partials + a_bytes);
    vitrail_pool_run(pool, vitrail_kernels()->low_rank_gradient, &args, parts);
    if (a_gradient) vitrail_add_partials(args.a_partials, parts, rank * inputs, a_gradient, a_accumulate);
    if (b_gradient) {
        for (int part = 1; part < parts; part++)
            for (ptrdiff_t i = 0; i < rank * outputs; i++)
                args.b_partials[i] += args.b_partials[part * rank * outputs + i];
        for (ptrdiff_t c = 0; c < outputs; c++) {
            for (ptrdiff_t j = 0; j < rank; j++) {
                const float value = scale * args.b_partials[j * outputs + c];
                b_gradient[c * rank + j] = b_accumulate ? b_gradient[c * rank + j] + value : value;
            }
        }
    }
    if (partials) vitrail_pool_return(pool, partials);
    vitrail_pool_return(pool, args.up);
}

void vitrail_widen_codes(
    vitrail_pool *pool, const vitrail_codes *codes, void *destination, bool is_narrow, ptrdiff_t count) {
    if (count <= 0) return;
    float pairs[512];
    codes_args args = {
        .codes = codes->codes,
        .scales = codes->scales,
        .scale_codes = codes->scale_codes,
        .scale_values = codes->scale_values,
        .outer_scales = codes->outer_scales,
        .offset = codes->offset,
        .destination = destination,
        .is_narrow = is_narrow,
        .count = count,
    };
    if (codes->values) {
        for (int byte = 0; byte < 256; byte++) {
            pairs[2 * byte] = codes->values[byte >> 4];
            pairs[2 * byte + 1] = codes->values[byte & 15];
        }
        args.values = codes->values;
        args.pairs = pairs;
    }
    vitrail_pool_run(pool, vitrail_kernels()->widen_codes, &args, vitrail_parts(pool, count, VITRAIL_GRAIN));
}
