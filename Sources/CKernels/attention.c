// Attention over packed segments: division into units of work. The loops are in attention_tasks.h.
#include "attention_bfloat16.h"
#include "vitrail_cpu.h"

/// Most queries and keys of a segment.
static void longest_segment(const vitrail_attention_layout *layout, ptrdiff_t *queries, ptrdiff_t *keys) {
    *queries = *keys = 0;
    for (ptrdiff_t s = 0; s < layout->segments; s++) {
        ptrdiff_t count = layout->query_offsets[s + 1] - layout->query_offsets[s];
        if (count > *queries) *queries = count;
        if (layout->key_counts[s] > *keys) *keys = layout->key_counts[s];
    }
}

/// Blocks of query rows of all heads that read one key-value head, each of one head or of all of them together.
static ptrdiff_t blocks_of(const vitrail_attention_layout *layout, ptrdiff_t s, ptrdiff_t rows, bool together) {
    ptrdiff_t queries = layout->query_offsets[s + 1] - layout->query_offsets[s];
    ptrdiff_t group = layout->query_heads / layout->key_value_heads;
    return together ? (queries * group + rows - 1) / rows : (queries + rows - 1) / rows * group;
}

/// Divides every segment and key-value head into `splits` runs of query blocks of `rows` rows.
static void plan_units(
    const vitrail_attention_layout *layout, int splits, ptrdiff_t rows, bool together, bool gradient,
    attention_unit *units) {
    ptrdiff_t partial = 0;
    for (ptrdiff_t s = 0; s < layout->segments; s++) {
        ptrdiff_t blocks = blocks_of(layout, s, rows, together);
        ptrdiff_t floats = attention_padded(layout->key_counts[s]) * attention_width(layout) * 2;
        for (ptrdiff_t head = 0; head < layout->key_value_heads; head++) {
            for (int split = 0; split < splits; split++, units++) {
                *units = (attention_unit){
                    .segment = (int32_t)s,
                    .head = (int32_t)head,
                    .first = (int32_t)(blocks * split / splits),
                    .last = (int32_t)(blocks * (split + 1) / splits),
                    .partial = partial,
                };
                if (gradient) partial += floats;
            }
        }
    }
}

/// Runs of query blocks that give every thread `wanted` units or more.
static int splits_for(
    vitrail_pool *pool, const vitrail_attention_layout *layout, ptrdiff_t queries, ptrdiff_t rows, ptrdiff_t wanted) {
    ptrdiff_t threads = pool ? vitrail_pool_threads(pool) : 1;
    ptrdiff_t pairs = layout->segments * layout->key_value_heads;
    ptrdiff_t blocks = (queries + rows - 1) / rows * (layout->query_heads / layout->key_value_heads);
    if (threads == 1 || pairs >= wanted * threads) return 1;
    ptrdiff_t splits = (wanted * threads + pairs - 1) / pairs;
    return (int)(splits < blocks ? splits : blocks < 1 ? 1 : blocks);
}

/// Runs of units that threads take one after the other: at least four a thread, so that a slow one is made up for.
static int runs_for(vitrail_pool *pool, ptrdiff_t units) {
    ptrdiff_t threads = pool ? vitrail_pool_threads(pool) : 1;
    ptrdiff_t length = threads == 1 ? units : units / (4 * threads);
    return (int)(length > 1 ? (units + length - 1) / length : units);
}

/// The first chunk of a segment's keys that any query sees, and the number from there on, at least one.
static ptrdiff_t first_chunk(const vitrail_attention_layout *layout, ptrdiff_t s) {
    return attention_hidden(layout, s, 0) / ATTENTION_DECODE_KEYS;
}
static ptrdiff_t chunk_count(const vitrail_attention_layout *layout, ptrdiff_t s) {
    ptrdiff_t end = (layout->key_counts[s] + ATTENTION_DECODE_KEYS - 1) / ATTENTION_DECODE_KEYS;
    ptrdiff_t count = end - first_chunk(layout, s);
    return count < 1 ? 1 : count;
}

/// The kernels that round factors to bfloat16 on this processor, or NULL.
static const attention_bfloat16_kernels *bfloat16_kernels_here(void) {
#if PRODUCT_X86
    if (vitrail_cpu() >= VITRAIL_CPU_AMX) return &attention_bfloat16_amx;
    if (vitrail_cpu() >= VITRAIL_CPU_AVX512_BF16) return &attention_bfloat16_avx512;
#endif
    return NULL;
}

bool vitrail_attention_in_bfloat16(void) { return bfloat16_kernels_here() != NULL; }

/// The kernels that round this layout's factors to bfloat16, or NULL: not with windows.
static const attention_bfloat16_kernels *kernels_for(const vitrail_attention_layout *layout) {
    return layout->in_bfloat16 && layout->window == 0 ? bfloat16_kernels_here() : NULL;
}

bool vitrail_attention_takes_bfloat16(const vitrail_attention_layout *layout) {
    ptrdiff_t queries, keys;
    longest_segment(layout, &queries, &keys);
    return kernels_for(layout) && queries > ATTENTION_DECODE_ROWS;
}

/// Few queries a segment: chunks of keys side by side, joined afterwards.
static void decode(vitrail_pool *pool, attention_args *args) {
    const vitrail_attention_layout *layout = args->layout;
    const ptrdiff_t heads = layout->key_value_heads, group = layout->query_heads / heads;
    const ptrdiff_t threads = pool ? vitrail_pool_threads(pool) : 1;
    ptrdiff_t chunk_total = 0, partial = 0, keys = 0, longest = 0;
    for (ptrdiff_t s = 0; s < layout->segments; s++) {
        ptrdiff_t queries = layout->query_offsets[s + 1] - layout->query_offsets[s];
        longest = queries > longest ? queries : longest;
        chunk_total += chunk_count(layout, s);
        keys += layout->key_counts[s] - attention_hidden(layout, s, 0);
    }
    // Heads stand side by side in a row: where there are units enough, one reads whole rows.
    const ptrdiff_t together = chunk_total >= 4 * threads ? heads : 1, unit_count = chunk_total * (heads / together);
    attention_unit *units = vitrail_scratch(pool, sizeof(attention_unit) * (size_t)unit_count);
    ptrdiff_t *segments = vitrail_scratch(pool, sizeof(ptrdiff_t) * (size_t)(layout->segments + 1)), unit = 0;
    for (ptrdiff_t s = 0; s < layout->segments; s++) {
        ptrdiff_t chunks = chunk_count(layout, s), first = first_chunk(layout, s);
        ptrdiff_t queries = layout->query_offsets[s + 1] - layout->query_offsets[s];
        segments[s] = partial;
        for (ptrdiff_t chunk = 0; chunk < chunks; chunk++) {
            for (ptrdiff_t head = 0; head < heads; head += together, unit++) {
                units[unit] = (attention_unit){
                    .segment = (int32_t)s,
                    .head = (int32_t)head,
                    .first = (int32_t)(first + chunk),
                    .last = (int32_t)(head + together),
                    .partial = partial,
                };
                partial += queries * group * together * attention_partial(layout);
            }
        }
    }
    segments[layout->segments] = partial;
    args->units = units;
    args->segment_partials = segments;
    args->scratch_stride = attention_decode_scratch(layout, longest * group);
    args->scratch = vitrail_scratch(pool, sizeof(float) * (size_t)(threads * args->scratch_stride));
    args->partials = vitrail_scratch(pool, sizeof(float) * (size_t)(partial + 1));
    // A short cache is not worth the other threads.
    vitrail_pool *team = keys * layout->query_heads * layout->width < VITRAIL_GRAIN ? NULL : pool;
    const size_t bytes = (size_t)(args->key.rows * args->key.stride) * (args->key.is_bfloat16 ? 2 : 4);
    vitrail_pool_run_reading(
        team, vitrail_kernels()->attention_decode, args, (int)unit_count, args->key.data, bytes);
    // Joining is next to nothing, and so not worth a second wait for the others.
    vitrail_pool_run(
        partial < VITRAIL_GRAIN ? NULL : team, vitrail_kernels()->attention_combine, args,
        (int)(layout->segments * heads));
    vitrail_pool_return(pool, args->partials);
    vitrail_pool_return(pool, args->scratch);
    vitrail_pool_return(pool, segments);
    vitrail_pool_return(pool, units);
}

/// Segments' keys and values in bfloat16, for loops that read floats: widened, one segment after the other.
static void attend_widened(
    vitrail_pool *pool, const vitrail_attention_layout *layout, vitrail_matrix query, vitrail_matrix key,
    vitrail_matrix value, vitrail_matrix destination, float *log_sum_exp) {
    const ptrdiff_t columns = layout->key_value_heads * layout->width;
    ptrdiff_t keys = 0;
    for (ptrdiff_t s = 0; s < layout->segments; s++) keys += layout->key_counts[s];
    float *memory = vitrail_scratch(pool, sizeof(float) * (size_t)(2 * keys * columns));
    int32_t *starts = vitrail_scratch(pool, sizeof(int32_t) * (size_t)(layout->segments + 1));
    vitrail_matrix wide[2];
    const vitrail_matrix narrow[2] = {key, value};
    for (int i = 0; i < 2; i++) {
        wide[i] = (vitrail_matrix){.data = memory + i * keys * columns, .columns = columns, .stride = columns};
        for (ptrdiff_t s = 0, row = 0; s < layout->segments; row += layout->key_counts[s++]) {
            starts[s] = (int32_t)row;
            const vitrail_matrix rows = {
                .data = wide[i].data + row * columns, .rows = layout->key_counts[s], .columns = columns, .stride = columns};
            vitrail_gather_rows(
                pool, matrix_at(narrow[i], layout->key_starts[s], 0).data, VITRAIL_DTYPE_BFLOAT16,
                narrow[i].stride * (ptrdiff_t)sizeof(uint16_t), NULL, rows, false);
        }
    }
    vitrail_attention_layout floats = *layout;
    floats.key_starts = starts;
    vitrail_attention(pool, &floats, query, wide[0], wide[1], destination, log_sum_exp);
    vitrail_pool_return(pool, starts);
    vitrail_pool_return(pool, memory);
}

void vitrail_attention(
    vitrail_pool *pool, const vitrail_attention_layout *layout, vitrail_matrix query, vitrail_matrix key,
    vitrail_matrix value, vitrail_matrix destination, float *log_sum_exp) {
    attention_args args = {
        .layout = layout,
        .query = query,
        .key = key,
        .value = value,
        .destination = destination,
        .log_sum_exp = log_sum_exp,
    };
    ptrdiff_t queries, keys;
    longest_segment(layout, &queries, &keys);
    if (queries == 0) return;
    if (queries <= ATTENTION_DECODE_ROWS) {
        decode(pool, &args);
        return;
    }
    const attention_bfloat16_kernels *narrow = kernels_for(layout);
    if (key.is_bfloat16 && !narrow) {
        attend_widened(pool, layout, query, key, value, destination, log_sum_exp);
        return;
    }
    ptrdiff_t threads = pool ? vitrail_pool_threads(pool) : 1, rows = ATTENTION_ROWS;
    vitrail_task task = vitrail_kernels()->attention;
    args.scratch_stride = attention_scratch(layout, keys, false);
    if (narrow) {
        rows = ATTENTION_BFLOAT16_ROWS;
        task = narrow->forward;
        args.scratch_stride = (ptrdiff_t)(narrow->scratch(layout, keys, false) / sizeof(float));
    }
    // Splits pack the same keys again, which costs little beside a thread that waits.
    args.splits = splits_for(pool, layout, queries, rows, 6);
    args.unit_count = layout->segments * layout->key_value_heads * args.splits;
    attention_unit *units = vitrail_scratch(pool, sizeof(attention_unit) * (size_t)args.unit_count);
    plan_units(layout, args.splits, rows, narrow && narrow->heads_together, false, units);
    args.units = units;
    args.scratch = vitrail_scratch(pool, sizeof(float) * (size_t)(threads * args.scratch_stride));
    vitrail_pool_run_dynamic(pool, task, &args, runs_for(pool, args.unit_count));
    vitrail_pool_return(pool, args.scratch);
    vitrail_pool_return(pool, units);
}

void vitrail_attention_gradient(
    vitrail_pool *pool, const vitrail_attention_layout *layout, vitrail_matrix query, vitrail_matrix key,
    vitrail_matrix value, vitrail_matrix output, const float *log_sum_exp, vitrail_matrix gradient,
    vitrail_matrix into_query, vitrail_matrix into_key, vitrail_matrix into_value) {
    attention_args args = {
        .layout = layout,
        .query = query,
        .key = key,
        .value = value,
        .destination = output,
        .gradient = gradient,
        .into_query = into_query,
        .into_key = into_key,
        .into_value = into_value,
        .log_sum_exp = (float *)log_sum_exp,
    };
    ptrdiff_t queries, keys, threads = pool ? vitrail_pool_threads(pool) : 1, partial = 0;
    longest_segment(layout, &queries, &keys);
    ptrdiff_t pairs = layout->segments * layout->key_value_heads;
    if (pairs == 0) return;
    ptrdiff_t rows = ATTENTION_ROWS;
    vitrail_task task = vitrail_kernels()->attention_gradient;
    args.scratch_stride = attention_scratch(layout, keys, true);
    const attention_bfloat16_kernels *narrow = kernels_for(layout);
    if (narrow) {
        rows = ATTENTION_BFLOAT16_GRADIENT_ROWS;
        task = narrow->gradient;
        args.scratch_stride = (ptrdiff_t)(narrow->scratch(layout, keys, true) / sizeof(float));
    }
    // Splits have gradients of keys and values of their own, which are joined.
    args.splits = splits_for(pool, layout, queries, rows, 3);
    args.unit_count = pairs * args.splits;
    attention_unit *units = vitrail_scratch(pool, sizeof(attention_unit) * (size_t)args.unit_count);
    plan_units(layout, args.splits, rows, false, true, units);
    args.units = units;
    args.scratch = vitrail_scratch(pool, sizeof(float) * (size_t)(threads * args.scratch_stride));
    if (args.splits > 1) {
        const attention_unit *last = &units[args.unit_count - 1];
        ptrdiff_t padded = attention_padded(layout->key_counts[last->segment]);
        partial = last->partial + 2 * padded * attention_width(layout);
        args.partials = vitrail_scratch(pool, sizeof(float) * (size_t)partial);
    }
    vitrail_pool_run_dynamic(pool, task, &args, runs_for(pool, args.unit_count));
    if (args.splits > 1) {
        vitrail_pool_run(pool, vitrail_kernels()->attention_gradient_combine, &args, (int)pairs);
        vitrail_pool_return(pool, args.partials);
    }
    vitrail_pool_return(pool, args.scratch);
    vitrail_pool_return(pool, units);
}
