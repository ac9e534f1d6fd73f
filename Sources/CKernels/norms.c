// Norms and their gradients; weight gradients are summed per part and added in order. The loops are in norms_tasks.h.
#include "kernel_table.h"

static int parts_for(vitrail_pool *pool, vitrail_matrix x) {
    return vitrail_pieces(pool, x.rows, VITRAIL_GRAIN / 2 / (x.columns + 1) + 1);
}

void vitrail_layer_norm(
    vitrail_pool *pool, vitrail_matrix x, const float *weight, const float *bias, float epsilon,
    vitrail_matrix destination, float *statistics) {
    norm_args args = {
        .x = x,
        .destination = destination,
        .weight = weight,
        .bias = bias,
        .statistics = statistics,
        .epsilon = epsilon,
    };
    if (x.rows > 0) vitrail_pool_run_dynamic(pool, vitrail_kernels()->layer_norm, &args, parts_for(pool, x));
}

void vitrail_rms_norm(
    vitrail_pool *pool, vitrail_matrix x, const float *weight, float epsilon, vitrail_matrix destination,
    float *statistics) {
    norm_args args = {
        .x = x,
        .destination = destination,
        .weight = weight,
        .statistics = statistics,
        .epsilon = epsilon,
    };
    if (x.rows > 0) vitrail_pool_run_dynamic(pool, vitrail_kernels()->rms_norm, &args, parts_for(pool, x));
}

/// Runs a gradient with partial sums where they are wanted.
static void run_gradient(
    vitrail_pool *pool, vitrail_task task, norm_args *args, float *weight_gradient, bool accumulate_weight,
    float *bias_gradient, bool accumulate_bias) {
    ptrdiff_t columns = args->x.columns;
    int parts = parts_for(pool, args->x);
    float *partials = NULL;
    if (weight_gradient || bias_gradient) {
        partials = vitrail_scratch(pool, 2 * sizeof(float) * (size_t)(parts * columns + 1));
        if (weight_gradient) args->weight_partials = partials;
        if (bias_gradient) args->bias_partials = partials + parts * columns;
    }
    vitrail_pool_run_dynamic(pool, task, args, parts);
    if (weight_gradient)
        vitrail_add_partials(args->weight_partials, parts, columns, weight_gradient, accumulate_weight);
    if (bias_gradient) vitrail_add_partials(args->bias_partials, parts, columns, bias_gradient, accumulate_bias);
    if (partials) vitrail_pool_return(pool, partials);
}

void vitrail_layer_norm_gradient(
    vitrail_pool *pool, vitrail_matrix x, const float *weight, const float *bias, const float *statistics,
    vitrail_matrix gradient, vitrail_matrix into, bool accumulate, float *weight_gradient, bool accumulate_weight,
    float *bias_gradient, bool accumulate_bias, vitrail_matrix value) {
    norm_args args = {
        .x = x,
        .gradient = gradient,
        .destination = into,
        .value = value,
        .weight = weight,
        .bias = bias,
        .statistics = (float *)statistics,
        .accumulate = accumulate,
    };
    run_gradient(
        pool, vitrail_kernels()->layer_norm_gradient, &args, weight_gradient, accumulate_weight, bias_gradient,
        accumulate_bias);
}

void vitrail_rms_norm_gradient(
    vitrail_pool *pool, vitrail_matrix x, const float *weight, const float *statistics, vitrail_matrix gradient,
    vitrail_matrix into, bool accumulate, float *weight_gradient, bool accumulate_weight, vitrail_matrix value) {
    norm_args args = {
        .x = x,
        .gradient = gradient,
        .destination = into,
        .value = value,
        .weight = weight,
        .statistics = (float *)statistics,
        .accumulate = accumulate,
    };
    run_gradient(
        pool, vitrail_kernels()->rms_norm_gradient, &args, weight_gradient, accumulate_weight, NULL, false);
}

void vitrail_normalize_rows(
    vitrail_pool *pool, vitrail_matrix x, float epsilon, vitrail_matrix destination, float *norms) {
    norm_args args = {.x = x, .destination = destination, .statistics = norms, .epsilon = epsilon};
    if (x.rows > 0) vitrail_pool_run_dynamic(pool, vitrail_kernels()->normalize_rows, &args, parts_for(pool, x));
}

void vitrail_normalize_rows_gradient(
    vitrail_pool *pool, vitrail_matrix normalized, const float *norms, vitrail_matrix gradient, float epsilon,
    vitrail_matrix destination, bool accumulate) {
    norm_args args = {
        .x = normalized,
        .gradient = gradient,
        .destination = destination,
        .statistics = (float *)norms,
        .epsilon = epsilon,
        .accumulate = accumulate,
    };
    if (normalized.rows == 0) return;
    vitrail_pool_run_dynamic(pool, vitrail_kernels()->normalize_rows_gradient, &args, parts_for(pool, normalized));
}
