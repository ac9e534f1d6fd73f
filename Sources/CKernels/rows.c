// Moving rows: embeddings, scattering, means, patches, rotary positions. The loops are in rows_tasks.h.
#include "kernel_table.h"

/// Parts that each take whole rows.
static int by_rows(vitrail_pool *pool, vitrail_matrix m) {
    return vitrail_pieces(pool, m.rows, VITRAIL_GRAIN / (m.columns + 1) + 1);
}

/// Parts that each take 64 columns or more of `rows` rows.
static int by_columns(vitrail_pool *pool, ptrdiff_t rows, ptrdiff_t columns) {
    ptrdiff_t grain = VITRAIL_GRAIN / (rows + 1) + 1;
    return vitrail_pieces(pool, columns, grain < 64 ? 64 : grain);
}

void vitrail_gather_rows(
    vitrail_pool *pool, const void *table, vitrail_dtype dtype, ptrdiff_t row_bytes, const int32_t *indices,
    vitrail_matrix destination, bool accumulate) {
    index_args args = {
        .table = table,
        .dtype = dtype,
        .row_bytes = row_bytes,
        .indices = indices,
        .destination = destination,
        .accumulate = accumulate,
    };
    if (destination.rows > 0)
        vitrail_pool_run_dynamic(pool, vitrail_kernels()->gather_rows, &args, by_rows(pool, destination));
}

void vitrail_scatter_rows(
    vitrail_pool *pool, vitrail_matrix source, const int32_t *indices, vitrail_matrix destination, bool accumulate) {
    index_args args = {
        .indices = indices,
        .source = source,
        .destination = destination,
        .accumulate = accumulate,
    };
    if (source.rows > 0 && source.columns > 0)
        vitrail_pool_run_dynamic(
            pool, vitrail_kernels()->scatter_rows, &args, by_columns(pool, source.rows, source.columns));
}

void vitrail_mean_rows(vitrail_pool *pool, vitrail_matrix x, const int32_t *offsets, vitrail_matrix destination) {
    index_args args = {.indices = offsets, .source = x, .destination = destination};
    if (destination.rows > 0 && x.columns > 0)
        vitrail_pool_run_dynamic(pool, vitrail_kernels()->mean_rows, &args, by_columns(pool, x.rows, x.columns));
}

void vitrail_mean_rows_gradient(
    vitrail_pool *pool, vitrail_matrix gradient, const int32_t *offsets, vitrail_matrix destination,
    bool accumulate) {
    index_args args = {
        .indices = offsets, .source = gradient, .destination = destination, .accumulate = accumulate};
    if (gradient.rows > 0 && destination.columns > 0)
        vitrail_pool_run_dynamic(
            pool, vitrail_kernels()->mean_rows_gradient, &args,
            by_columns(pool, destination.rows, destination.columns));
}

void vitrail_patches(
    vitrail_pool *pool, const float *images, ptrdiff_t channels, ptrdiff_t height, ptrdiff_t width, ptrdiff_t patch,
    ptrdiff_t count, vitrail_matrix destination) {
    patches_args args = {
        .images = (float *)images,
        .channels = channels,
        .height = height,
        .width = width,
        .patch = patch,
        .count = count,
        .rows = destination,
    };
    ptrdiff_t lines = count * (height / patch);
    if (lines > 0)
        vitrail_pool_run_dynamic(
            pool, vitrail_kernels()->patches, &args,
            vitrail_pieces(pool, lines, VITRAIL_GRAIN / (channels * patch * width + 1) + 1));
}

void vitrail_patches_gradient(
    vitrail_pool *pool, vitrail_matrix gradient, ptrdiff_t channels, ptrdiff_t height, ptrdiff_t width,
    ptrdiff_t patch, ptrdiff_t count, float *images, bool accumulate) {
    patches_args args = {
        .images = images,
        .channels = channels,
        .height = height,
        .width = width,
        .patch = patch,
        .count = count,
        .rows = gradient,
        .accumulate = accumulate,
    };
    bool has_border = height % patch != 0 || width % patch != 0;
    if (has_border && !accumulate) vitrail_fill(pool, images, count * channels * height * width, 0.0f);
    ptrdiff_t lines = count * (height / patch);
    if (lines > 0)
        vitrail_pool_run_dynamic(
            pool, vitrail_kernels()->patches_gradient, &args,
            vitrail_pieces(pool, lines, VITRAIL_GRAIN / (channels * patch * width + 1) + 1));
}

void vitrail_rotate(
    vitrail_pool *pool, vitrail_matrix x, ptrdiff_t head_width, const int32_t *positions, const float *table,
    bool inverse) {
    rotate_args args = {
        .x = x, .head_width = head_width, .positions = positions, .table = table, .inverse = inverse};
    if (x.rows > 0) vitrail_pool_run_dynamic(pool, vitrail_kernels()->rotate, &args, by_rows(pool, x));
}
