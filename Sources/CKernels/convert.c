// Copies and conversions between storage forms. The loops are in convert_tasks.h.
#include "blocks.h"
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
    default: return is_in_blocks(type) ? file_bytes_of(format_of(type), count) : 4 * count;
    }
}

void vitrail_convert(
    vitrail_pool *pool, const void *source, vitrail_dtype source_type, void *destination,
    vitrail_dtype destination_type, ptrdiff_t count) {
    const vitrail_kernel_table *kernels = vitrail_kernels();
    if (source_type == destination_type) {
        vitrail_copy(pool, destination, source, bytes_of(source_type, count));
        return;
    }
    const bool widens = source_type != VITRAIL_DTYPE_FLOAT32;
    const vitrail_dtype type = widens ? source_type : destination_type;
    convert_args args = {.source = source, .destination = destination, .count = count, .type = type};
    vitrail_task task;
    switch (type) {
    case VITRAIL_DTYPE_FLOAT16: task = widens ? kernels->half_to_float : kernels->float_to_half; break;
    case VITRAIL_DTYPE_BFLOAT16: task = widens ? kernels->brain_to_float : kernels->float_to_brain; break;
    case VITRAIL_DTYPE_INT4_BLOCKS: task = widens ? kernels->blocks_to_float : kernels->float_to_int4; break;
    default: task = widens ? kernels->blocks_to_float : kernels->float_to_int8;
    }
    if (count > 0) vitrail_pool_run(pool, task, &args, vitrail_parts(pool, count, VITRAIL_GRAIN));
}

enum { REGROUP_PARTS = 16 };

typedef struct regroup_args {
    uint8_t *blocks, *groups;
    uint8_t *copies;  // room for a group for each part, where both orders have the same place; or NULL
    ptrdiff_t rows, columns, group_bytes;
    vitrail_weight_format format;
    bool back;
} regroup_args;

static void copy_bytes(uint8_t *blocks, uint8_t *groups, ptrdiff_t bytes, bool back) {
    memcpy(back ? blocks : groups, back ? groups : blocks, (size_t)bytes);
}

/// Groups of 16 rows: scales [blocks][16], then codes [blocks][quads][16 rows][4 terms]; rows that do not exist are zero.
static void regroup_task(void *context, int part, int parts) {
    const regroup_args *args = context;
    const bool is_int4 = args->format == VITRAIL_WEIGHTS_INT4;
    const ptrdiff_t blocks = args->columns / terms_of(args->format);
    const ptrdiff_t source_bytes = 2 + code_bytes_of(args->format), code_bytes = 16 * (source_bytes - 2);
    ptrdiff_t begin, end;
    vitrail_share((args->rows + 15) / 16, 1, part, parts, &begin, &end);
    for (ptrdiff_t group = begin; group < end; group++) {
        uint8_t *plain = args->blocks + group * 16 * blocks * source_bytes, *scales = args->groups + group * args->group_bytes;
        if (args->copies) {
            uint8_t *copy = memcpy(args->copies + part * args->group_bytes, scales, (size_t)args->group_bytes);
            *(args->back ? &scales : &plain) = copy;
        }
        // The codes stand at the group's end, behind all scales.
        uint8_t *codes = scales + args->group_bytes - blocks * code_bytes;
        const ptrdiff_t count = args->rows - group * 16 < 16 ? args->rows - group * 16 : 16;
        if (count < 16 && !args->back) memset(scales, 0, (size_t)args->group_bytes);
        for (ptrdiff_t i = 0; i < count; i++) {
            for (ptrdiff_t b = 0; b < blocks; b++) {
                uint8_t *block = plain + (i * blocks + b) * source_bytes;
                uint8_t *target = codes + b * code_bytes;
                uint16_t scale;
                memcpy(&scale, block, sizeof scale);
                copy_bytes(block, scales + (b * 16 + i) * 2, 2, args->back);
                if (!args->back && !(scale & 0x7fff)) {
                    // Products count on zero codes where the scale is zero.
                    for (ptrdiff_t j = 0; j < code_bytes / 64; j++) memset(target + (j * 16 + i) * 4, is_int4 ? 0x88 : 128, 4);
                    continue;
                }
                for (ptrdiff_t j = 0; j < source_bytes - 2; j += 4) {
                    // Both forms of four bits keep terms j and j + 16 in one byte, the lower one in the low half.
                    uint8_t quad[4], *place = target + (j / 4 * 16 + i) * 4;
                    if (is_int4) {
                        copy_bytes(block + 2 + j, place, 4, args->back);
                        continue;
                    }
                    // Signed codes become unsigned ones with offset 128.
                    memcpy(quad, args->back ? place : block + 2 + j, 4);
                    for (int term = 0; term < 4; term++) quad[term] ^= 128;
                    memcpy(args->back ? block + 2 + j : place, quad, 4);
                }
            }
        }
    }
}

static bool regroup(
    vitrail_pool *pool, void *blocks, vitrail_dtype dtype, ptrdiff_t rows, ptrdiff_t columns, void *groups, bool back) {
    regroup_args args = {
        .blocks = blocks,
        .groups = groups,
        .rows = rows,
        .columns = columns,
        .format = format_of(dtype),
        .back = back,
    };
    args.group_bytes = (ptrdiff_t)vitrail_quantized_bytes(args.format, 16, columns);
    if (blocks == groups) {
        args.copies = vitrail_pool_borrow(pool, REGROUP_PARTS * (size_t)args.group_bytes);
        if (!args.copies) return false;
    }
    // Threads that compute by themselves all wait for the same weights.
    vitrail_pool_run_together(pool, regroup_task, &args, REGROUP_PARTS);
    vitrail_pool_return(pool, args.copies);
    return true;
}

bool vitrail_regroup_blocks(
    vitrail_pool *pool, const void *blocks, vitrail_dtype dtype, ptrdiff_t rows, ptrdiff_t columns,
    void *destination) {
    return regroup(pool, (void *)blocks, dtype, rows, columns, destination, false);
}

bool vitrail_blocks_from_groups(
    vitrail_pool *pool, const void *groups, vitrail_dtype dtype, ptrdiff_t rows, ptrdiff_t columns,
    void *destination) {
    return regroup(pool, destination, dtype, rows, columns, (void *)groups, true);
}

typedef struct gather_groups_args {
    const void *groups;
    vitrail_weight_format format;
    const int32_t *indices;
    vitrail_matrix destination;
    bool accumulate;
} gather_groups_args;

static void gather_groups_task(void *context, int part, int parts) {
    const gather_groups_args *args = context;
    const vitrail_matrix to = args->destination;
    ptrdiff_t begin, end;
    vitrail_share(to.rows, 1, part, parts, &begin, &end);
    for (ptrdiff_t row = begin; row < end; row++) {
        if (args->indices[row] < 0) {
            if (!args->accumulate) memset(to.data + row * to.stride, 0, sizeof(float) * (size_t)to.columns);
            continue;
        }
        const ptrdiff_t terms = terms_of(args->format);
        for (ptrdiff_t block = 0; block < to.columns / terms; block++) {
            int8_t codes[VITRAIL_INT8_MOST_TERMS];
            const float scale =
                vitrail_quantized_block(args->format, args->groups, to.columns, args->indices[row], block, codes);
            float *values = to.data + row * to.stride + terms * block;
            for (ptrdiff_t i = 0; i < terms; i++) values[i] = scale * (float)codes[i] + (args->accumulate ? values[i] : 0);
        }
    }
}

void vitrail_gather_groups(
    vitrail_pool *pool, const void *groups, vitrail_dtype dtype, const int32_t *indices, vitrail_matrix destination,
    bool accumulate) {
    gather_groups_args args = {
        .groups = groups,
        .format = format_of(dtype),
        .indices = indices,
        .destination = destination,
        .accumulate = accumulate,
    };
    if (destination.rows > 0) vitrail_pool_run(pool, gather_groups_task, &args, vitrail_parts(pool, destination.rows, 8));
}
