// One new token through all blocks of a decoder, in one run of the pool. A block is five phases; what lies between two products is done
// by every thread for itself, or by whoever comes last, so that threads meet five times a block and memory hardly rests.
//
//     norm, queries · keys · values │ turn, store, attention │ output + residual │ norm, activation(gate) · up │ down + residual
//
// and the norm, the head and the likeliest token one more.

#include "decoder_attention.h"

enum {
    BLOCK_PHASES = 5, LEAST_PART_BYTES = 8192, MOST_PART_BYTES = 131072,
    CALL_ROWS = 8 * RUN_ROWS,  // of weights that are multiplied in one call
};

// MARK: Maps

static void add_row(float *restrict sums, const float *restrict values, int count) {
    for (int i = 0; i < count; i++) sums[i] += values[i];
}

/// out = rows of a map with the prepared row + bias + addend.
static void map_part(
    const decoding *run, const vitrail_decoder_map *map, ptrdiff_t outputs, ptrdiff_t inputs, const float *addend, float *out,
    int part, int parts) {
    const ptrdiff_t runs = divide_up(outputs, RUN_ROWS), end = least(runs * (part + 1) / parts * RUN_ROWS, outputs);
    for (ptrdiff_t first = runs * part / parts * RUN_ROWS; first < end; first += CALL_ROWS) {
        const int count = (int)least(CALL_ROWS, end - first);
        float sums[CALL_ROWS];
        multiply_prepared(map->format, map->weights, map->ldw, inputs, first, count, prepared_row(run), sums);
        if (map->bias) add_row(sums, map->bias + first, count);
        if (addend) add_row(sums, addend + first, count);
        memcpy(out + first, sums, sizeof(float) * (size_t)count);
    }
}

static void enter_projection(void *context) {
    const decoding_block *b = context;
    prepare_normed(b->run, b->x, b->block->norm1, b->block->epsilon1, b->block->query_key_value.format);
    ask_for_chunk(b);
}

static void projection_part(void *context, int part, int parts) {
    const decoding_block *b = context;
    const vitrail_decoder_token *token = b->run->token;
    const ptrdiff_t outputs = query_columns(token) + 2 * key_value_columns(token);
    map_part(b->run, &b->block->query_key_value, outputs, token->hidden, NULL, b->run->qkv, part, parts);
}

static void enter_output(void *context) {
    const decoding_block *b = context;
    prepare_row(b->block->output.format, b->run->mixed, query_columns(b->run->token), prepared_row(b->run));
    ask_for(b->block->norm2, sizeof(float) * (size_t)b->run->token->hidden);
}

static void output_part(void *context, int part, int parts) {
    const decoding_block *b = context;
    const vitrail_decoder_token *token = b->run->token;
    map_part(b->run, &b->block->output, token->hidden, query_columns(token), b->x, b->run->middle, part, parts);
}

static void enter_inner(void *context) {
    const decoding_block *b = context;
    prepare_normed(b->run, b->run->middle, b->block->norm2, b->block->epsilon2, b->block->gate_up.format);
}

/// The same rows of gate and up, and what becomes of them.
static void inner_part(void *context, int part, int parts) {
    const decoding_block *b = context;
    const decoding *run = b->run;
    const vitrail_decoder_map *map = &b->block->gate_up;
    const ptrdiff_t hidden = run->token->hidden, inner = run->token->inner, runs = divide_up(inner, RUN_ROWS);
    const ptrdiff_t end = least(runs * (part + 1) / parts * RUN_ROWS, inner);
    for (ptrdiff_t first = runs * part / parts * RUN_ROWS; first < end; first += CALL_ROWS) {
        const int count = (int)least(CALL_ROWS, end - first);
        float sums[2 * CALL_ROWS], *const up = sums + count;
        multiply_prepared(map->format, map->weights, map->ldw, hidden, first, count, prepared_row(run), sums);
        multiply_prepared(map->format, map->weights, map->ldw, hidden, inner + first, count, prepared_row(run), up);
        if (map->bias) {
            add_row(sums, map->bias + first, count);
            add_row(up, map->bias + inner + first, count);
        }
        rows_args args = {
            .x = row_of(sums, 2 * count), .destination = row_of(run->inner + first, count),
            .function = (int)b->block->activation};
        run->kernels->gated_activation(&args, 0, 1);
    }
}

static void enter_down(void *context) {
    const decoding_block *b = context;
    const vitrail_decoder_token *token = b->run->token;
    prepare_row(b->block->down.format, b->run->inner, token->inner, prepared_row(b->run));
    if (b->block + 1 < token->blocks + token->block_count) ask_for(b->block[1].norm1, sizeof(float) * (size_t)token->hidden);
}

static void down_part(void *context, int part, int parts) {
    const decoding_block *b = context;
    const vitrail_decoder_token *token = b->run->token;
    map_part(b->run, &b->block->down, token->hidden, token->inner, b->run->middle, b->run->stream, part, parts);
}

static void attend_part(void *context, int part, int parts) {
    attend(context, part, part + 1 < parts ? part + 1 : part);
}

// MARK: The head

static void enter_head(void *context) {
    const decoding *run = context;
    const vitrail_decoder_token *token = run->token;
    prepare_normed(run, token->block_count > 0 ? run->stream : token->x, token->norm, token->epsilon, token->head.format);
}

static void head_part(void *context, int part, int parts) {
    const decoding *run = context;
    const vitrail_decoder_token *token = run->token;
    map_part(run, &token->head, token->vocabulary, token->hidden, NULL, token->logits, part, parts);
    const ptrdiff_t runs = divide_up(token->vocabulary, RUN_ROWS), first = runs * part / parts * RUN_ROWS;
    const ptrdiff_t end = least(runs * (part + 1) / parts * RUN_ROWS, token->vocabulary);
    likeliest_logit best = {-__builtin_inff(), first};
    // Sixteen at a time: hardly any of them has a larger one.
    for (ptrdiff_t i = first; i < end; i += RUN_ROWS) {
        bool is_larger = false;
        const ptrdiff_t count = least(RUN_ROWS, end - i);
        for (ptrdiff_t j = 0; j < count; j++) is_larger |= token->logits[i + j] > best.logit;
        for (ptrdiff_t j = 0; is_larger && j < count; j++) {
            if (token->logits[i + j] > best.logit) best = (likeliest_logit){token->logits[i + j], i + j};
        }
    }
    run->likeliest[part] = best;
}

// MARK: The whole

static vitrail_phase map_phase(
    vitrail_task task, void (*enter)(void *), void *context, const vitrail_decoder_map *map, ptrdiff_t rows, ptrdiff_t inputs,
    int threads) {
    const ptrdiff_t runs = divide_up(rows, RUN_ROWS);
    const size_t bytes = map->format >= VITRAIL_WEIGHTS_INT4
                             ? vitrail_quantized_bytes(map->format, rows, inputs)
                             : (size_t)(rows * map->ldw) * (map->format == VITRAIL_WEIGHTS_BFLOAT16 ? 2 : 4);
    // Taking a part costs what reading a kilobyte does, and threads wait for one another's last parts.
    int each = bytes < (size_t)(16 * threads) * LEAST_PART_BYTES ? 8 : 16;
    while (bytes > (size_t)(each * threads) * MOST_PART_BYTES && each < 128) each *= 2;
    return (vitrail_phase){
        .task = task, .enter = enter, .context = context, .parts = (int)least(runs, each * threads), .memory = map->weights,
        .bytes = bytes};
}

static void plan_block(decoding_block *b, int threads, vitrail_phase *phases) {
    const vitrail_decoder_token *token = b->run->token;
    const vitrail_decoder_block *block = b->block;
    const ptrdiff_t q = query_columns(token), kv = key_value_columns(token);
    phases[0] = map_phase(
        projection_part, enter_projection, b, &block->query_key_value, q + 2 * kv, token->hidden, threads);
    phases[1] = (vitrail_phase){
        .task = attend_part, .context = b, .parts = (int)(b->chunks * token->key_value_heads)};
    phases[2] = map_phase(output_part, enter_output, b, &block->output, token->hidden, q, threads);
    // Rows of gate are asked for ahead, of which a thread has enough to read.
    phases[3] = map_phase(inner_part, enter_inner, b, &block->gate_up, token->inner, token->hidden, threads);
    phases[4] = map_phase(down_part, enter_down, b, &block->down, token->hidden, token->inner, threads);
}

ptrdiff_t vitrail_decode_token(vitrail_pool *pool, const vitrail_decoder_token *token) {
    const int threads = vitrail_pool_threads(pool);
    const ptrdiff_t q = query_columns(token), kv = key_value_columns(token), hidden = token->hidden;
    const size_t count = (size_t)token->block_count;
    decoding run = {
        .token = token, .kernels = vitrail_kernels(), .threads = threads, .query_offsets = {0, 1}, .key_start = (int32_t)token->first_key,
        .key_count = (int32_t)token->keys};
    const vitrail_attention_layout layout = sequence_layout(token);
    const ptrdiff_t chunks = divide_up(token->keys, ATTENTION_DECODE_KEYS), group = token->query_heads / token->key_value_heads;
    for (size_t i = 0; i < count; i++) {
        const vitrail_decoder_block *block = &token->blocks[i];
        const vitrail_decoder_map *maps[4] = {&block->query_key_value, &block->output, &block->gate_up, &block->down};
        const int64_t inputs[4] = {hidden, q, hidden, token->inner};
        for (int j = 0; j < 4; j++) {
            const size_t bytes = prepared_bytes(maps[j]->format, inputs[j]);
            if (bytes > run.prepared_bytes) run.prepared_bytes = bytes;
        }
    }
    const size_t head_bytes = prepared_bytes(token->head.format, hidden);
    if (head_bytes > run.prepared_bytes) run.prepared_bytes = head_bytes;
    const vitrail_phase head = map_phase(
        head_part, enter_head, &run, &token->head, token->vocabulary, hidden, threads);
    const ptrdiff_t own = attention_round(q, 16) + attention_decode_scratch(&layout, group);
    run.scratch_stride = (run.prepared_bytes + sizeof(float) * (size_t)attention_round(own > hidden ? own : hidden, 16) + 127) / 64 * 64;
    const ptrdiff_t shared[6] = {
        q + 2 * kv, q, hidden, hidden, token->inner, chunks * token->query_heads * attention_partial(&layout)};
    float **const places[6] = {&run.qkv, &run.mixed, &run.middle, &run.stream, &run.inner, &run.partials};
    ptrdiff_t floats = 0;
    for (int i = 0; i < 6; i++) floats += attention_round(shared[i], 16);
    const size_t contexts = sizeof(decoding_block) * count, phases_bytes = sizeof(vitrail_phase) * (count * BLOCK_PHASES + 1);
    const size_t bests = sizeof(likeliest_logit) * (size_t)head.parts;
    const size_t counters = sizeof(_Atomic int) * (size_t)token->key_value_heads;
    char *const memory = vitrail_scratch(
        pool, run.scratch_stride * (size_t)threads + sizeof(float) * (size_t)floats + contexts + phases_bytes + bests + counters + 256);
    run.scratch = memory;
    char *next = memory + run.scratch_stride * (size_t)threads;
    for (int i = 0; i < 6; i++) {
        *places[i] = (float *)next;
        next += sizeof(float) * (size_t)attention_round(shared[i], 16);
    }
    decoding_block *const blocks = (decoding_block *)next;
    vitrail_phase *const phases = (vitrail_phase *)(next + contexts);
    run.likeliest = (likeliest_logit *)((char *)phases + phases_bytes);
    run.chunks_done = (_Atomic int *)((char *)run.likeliest + bests);
    memset((void *)run.chunks_done, 0, counters);
    for (size_t i = 0; i < count; i++) {
        decoding_block *b = &blocks[i];
        *b = sequence_block(&run, &token->blocks[i]);
        b->x = i == 0 ? token->x : run.stream;
        plan_block(b, threads, phases + i * BLOCK_PHASES);
    }
    phases[count * BLOCK_PHASES] = head;
    vitrail_pool_run_phases(pool, phases, (int)(count * BLOCK_PHASES + 1));
    likeliest_logit best = run.likeliest[0];
    for (int part = 1; part < head.parts; part++) {
        if (run.likeliest[part].logit > best.logit) best = run.likeliest[part];
    }
    vitrail_pool_return(pool, memory);
    return best.index;
}
