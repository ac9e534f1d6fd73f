// Copies and conversions between storage forms. The loops are in convert_tasks.h.
#include "kernel_table.h"

#include <string.h>

static void copy_task(void *context, int part, int parts) {
    const convert_args *args = context;
    ptrdiff_t begin, end;
    vitrail_share(args->count, 4096, part, parts, &begin, &end);
    memcpy((char *)args->destination + begin, (const char *)args->source + begin, (size_t)(end - begin));
}

void vitrail_copy(vitrail_pool *pool, void *destination, const void *source, ptrdiff_t bytes) {
    convert_args args = {.source = source, .destination = destination, .count = bytes};
    if (bytes > 0) vitrail_pool_run(pool, copy_task, &args, vitrail_parts(pool, bytes, 8 * VITRAIL_GRAIN));
}

/// Bytes of `count` elements.
static ptrdiff_t bytes_of(vitrail_dtype type, ptrdiff_t count) {
    switch (type) {
    case VITRAIL_DTYPE_FLOAT16:
    case VITRAIL_DTYPE_BFLOAT16: return 2 * count;
    case VITRAIL_DTYPE_INT8_BLOCKS: return (count + 31) / 32 * 34;
    case VITRAIL_DTYPE_INT4_BLOCKS: return (count + 31) / 32 * 18;
    default: return 4 * count;
    }
}

void vitrail_convert(
    vitrail_pool *pool, const void *source, vitrail_dtype source_type, void *destination,
    vitrail_dtype destination_type, ptrdiff_t count) {
    const vitrail_kernel_table *kernels = vitrail_kernels();
    const vitrail_task widen[] = {
        NULL, kernels->half_to_float, kernels->brain_to_float, NULL, kernels->int8_to_float, kernels->int4_to_float};
    const vitrail_task narrow[] = {
        NULL, kernels->float_to_half, kernels->float_to_brain, NULL, kernels->float_to_int8, kernels->float_to_int4};
    if (source_type == destination_type) {
        vitrail_copy(pool, destination, source, bytes_of(source_type, count));
        return;
    }
    convert_args args = {.source = source, .destination = destination, .count = count};
    vitrail_task task = source_type == VITRAIL_DTYPE_FLOAT32 ? narrow[destination_type] : widen[source_type];
    if (count > 0) vitrail_pool_run(pool, task, &args, vitrail_parts(pool, count, VITRAIL_GRAIN));
}
