// The optimizer's passes over all parameters at once. The loops are in optimizers_tasks.h.
#include "kernel_table.h"

#include <math.h>

double vitrail_sum_of_squares(vitrail_pool *pool, const vitrail_span *spans, ptrdiff_t count) {
    squares_args args = {.spans = spans, .span_count = count};
    for (ptrdiff_t s = 0; s < count; s++) args.chunk_count += (spans[s].count + SQUARES_CHUNK - 1) / SQUARES_CHUNK;
    if (args.chunk_count == 0) return 0.0;
    args.sums = vitrail_scratch(pool, sizeof(double) * (size_t)args.chunk_count);
    vitrail_pool_run_dynamic(pool, vitrail_kernels()->sum_of_squares, &args, vitrail_pieces(pool, args.chunk_count, 2));
    double total = 0.0;
    for (ptrdiff_t c = 0; c < args.chunk_count; c++) total += args.sums[c];
    vitrail_pool_return(pool, args.sums);
    return total;
}

void vitrail_adamw(
    vitrail_pool *pool, const vitrail_adamw_slice *slices, ptrdiff_t count, double beta1, double beta2,
    double epsilon, int64_t step, float gradient_scale) {
    adamw_args args = {
        .slices = slices,
        .slice_count = count,
        .beta1 = (float)beta1,
        .beta2 = (float)beta2,
        .one_minus_beta1 = (float)(1.0 - beta1),
        .one_minus_beta2 = (float)(1.0 - beta2),
        .correction1 = (float)(1.0 - pow(beta1, (double)step)),
        .root_correction2 = (float)sqrt(1.0 - pow(beta2, (double)step)),
        .epsilon = (float)epsilon,
        .gradient_scale = gradient_scale,
    };
    for (ptrdiff_t s = 0; s < count; s++) args.total += slices[s].count;
    if (args.total > 0)
        vitrail_pool_run_dynamic(pool, vitrail_kernels()->adamw, &args, vitrail_pieces(pool, args.total, VITRAIL_GRAIN / 4));
}
