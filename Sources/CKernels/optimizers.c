// The optimizer's passes over all parameters at once. The loops are in optimizers_tasks.h.
#include "kernel_table.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

// MARK: AdamW

/// Elements from which on an update is done beside what follows it: it takes milliseconds then.
enum { BESIDE_ELEMENTS = 8 << 20, BESIDE_PART = 1 << 16 };

struct vitrail_adamw_update {
    adamw_args args;
    vitrail_background *background;
    int *needed;  // [slices], parts that a slice and all before it lie in
};

/// Begins an update beside runs; NULL where that cannot be.
static vitrail_adamw_update *begin(vitrail_pool *pool, const adamw_args *args) {
    const size_t count = (size_t)args->slice_count;
    vitrail_adamw_update *const update = malloc(sizeof *update);
    vitrail_adamw_slice *const slices = malloc(sizeof *slices * count);
    int *const needed = malloc(sizeof *needed * count);
    const int parts = (int)(args->total / BESIDE_PART < INT_MAX ? args->total / BESIDE_PART : INT_MAX);
    if (update && slices && needed) {
        memcpy(slices, args->slices, sizeof *slices * count);
        ptrdiff_t first, last = 0, end = 0;
        for (int s = 0, part = 0; s < args->slice_count; s++) {
            end += slices[s].count;
            for (; last < end; part++) vitrail_share(args->total, ADAMW_ALIGNMENT, part, parts, &first, &last);
            needed[s] = part;
        }
        *update = (vitrail_adamw_update){.args = *args, .needed = needed};
        update->args.slices = slices;
        update->background = vitrail_pool_begin(pool, vitrail_kernels()->adamw, &update->args, parts);
        if (update->background) return update;
    }
    free(needed);
    free(slices);
    free(update);
    return NULL;
}

vitrail_adamw_update *vitrail_adamw(
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
    vitrail_adamw_update *const update = args.total < BESIDE_ELEMENTS ? NULL : begin(pool, &args);
    if (!update && args.total > 0)
        vitrail_pool_run_dynamic(pool, vitrail_kernels()->adamw, &args, vitrail_pieces(pool, args.total, VITRAIL_GRAIN / 4));
    return update;
}

void vitrail_adamw_wait(vitrail_adamw_update *update, ptrdiff_t slices) {
    const ptrdiff_t count = slices < update->args.slice_count ? slices : update->args.slice_count;
    if (count > 0) vitrail_background_wait(update->background, update->needed[count - 1]);
}

void vitrail_adamw_end(vitrail_adamw_update *update) {
    vitrail_background_end(update->background);
    free(update->needed);
    free((void *)update->args.slices);
    free(update);
}
