// The attention of a token on its way through a decoder; included by decoder.c and decoder_rows.c.
#ifndef DECODER_ATTENTION_H
#define DECODER_ATTENTION_H

#include "decoder_token.h"

/// Asks for the keys and values of a chunk of one head.
static void ask_for_keys(const decoding_block *b, ptrdiff_t chunk, ptrdiff_t head) {
    const vitrail_decoder_token *token = b->run->token;
    const vitrail_matrix cache = b->block->cache;
    const ptrdiff_t first = chunk * ATTENTION_DECODE_KEYS, last = least(first + ATTENTION_DECODE_KEYS, token->keys - 1);
    const size_t bytes = (size_t)token->width * (cache.is_bfloat16 ? 2 : 4);
    for (ptrdiff_t key = token->first_key + first; key < token->first_key + last; key++) {
        ask_for(head_at(cache, key, head, token->width).data, bytes);
        ask_for(head_at(cache, key, token->key_value_heads + head, token->width).data, bytes);
    }
}

/// Keys and values of the first chunk that this thread will come to.
static inline void ask_for_chunk(const decoding_block *b) {
    const ptrdiff_t heads = b->run->token->key_value_heads, parts = b->chunks * heads, thread = vitrail_pool_thread();
    const ptrdiff_t part = parts * thread / b->run->threads, end = parts * (thread + 1) / b->run->threads;
    if (part < end) ask_for_keys(b, b->first_chunk + part / heads, part % heads);
}

static void turn(const decoding *run, float *heads, ptrdiff_t columns) {
    const int32_t position = 0;
    rotate_args args = {
        .x = row_of(heads, columns), .head_width = run->token->width, .positions = &position, .table = run->token->angles};
    if (args.table) run->kernels->rotate(&args, 0, 1);
}

/// Writes the token's key and value of a head to the cache.
static void store_key_value(const decoding_block *b, ptrdiff_t head) {
    const decoding *run = b->run;
    const vitrail_decoder_token *token = run->token;
    const ptrdiff_t width = token->width, columns = key_value_columns(token);
    const int32_t first = 0;
    const float *key = run->qkv + query_columns(token) + head * width;
    float *turned = own_floats(run);
    memcpy(turned, key, (size_t)width * sizeof(float));
    turn(run, turned, width);
    const ptrdiff_t row = token->first_key + token->keys - 1;
    index_args args = {
        .indices = &first, .source = row_of(turned, width), .destination = head_at(b->block->cache, row, head, width)};
    run->kernels->scatter_rows(&args, 0, 1);
    args.source = row_of(key + columns, width);
    args.destination = matrix_at(b->block->cache, row, columns + head * width);
    run->kernels->scatter_rows(&args, 0, 1);
}

static attention_unit unit_at(const decoding_block *b, int part) {
    const vitrail_decoder_token *token = b->run->token;
    const ptrdiff_t heads = token->key_value_heads, head = part % heads;
    return (attention_unit){
        .head = (int32_t)head,
        .first = (int32_t)(b->first_chunk + part / heads),
        .last = (int32_t)head + 1,
        .partial = part * (token->query_heads / heads) * attention_partial(&b->layout),
    };
}

static vitrail_attention_layout sequence_layout(const vitrail_decoder_token *token) {
    return (vitrail_attention_layout){
        .query_heads = token->query_heads, .key_value_heads = token->key_value_heads, .width = token->width,
        .scale = token->scale, .segments = 1, .is_causal = true};
}

/// A block for attention over one sequence, whose keys are all chunks from the first one that its window reaches.
static decoding_block sequence_block(const decoding *run, const vitrail_decoder_block *block) {
    decoding_block b = {.run = (decoding *)run, .block = block, .layout = sequence_layout(run->token)};
    b.layout.query_offsets = run->query_offsets;
    b.layout.key_starts = &run->key_start;
    b.layout.key_counts = &run->key_count;
    b.layout.window = block->window;
    b.layout.in_bfloat16 = block->cache.is_bfloat16;
    b.first_chunk = attention_hidden(&b.layout, 0, 0) / ATTENTION_DECODE_KEYS;
    b.chunks = divide_up(run->token->keys, ATTENTION_DECODE_KEYS) - b.first_chunk;
    return b;
}

/// A chunk of keys of one head, with its newest key where that is among them; the last chunk of a head joins them all. Asks for the
/// keys of the part `next`.
static void attend(const decoding_block *b, int part, int next) {
    const decoding *run = b->run;
    const vitrail_decoder_token *token = run->token;
    const ptrdiff_t columns = query_columns(token), group = token->query_heads / token->key_value_heads * token->width;
    const attention_unit units[2] = {unit_at(b, part), unit_at(b, next)};
    const ptrdiff_t head = units[0].head;
    if (units[0].first == (token->keys - 1) / ATTENTION_DECODE_KEYS) store_key_value(b, head);
    float *queries = own_floats(run);
    memcpy(queries + head * group, run->qkv + head * group, (size_t)group * sizeof(float));
    turn(run, queries + head * group, group);
    const ptrdiff_t ends[2] = {0, b->chunks * token->query_heads * attention_partial(&b->layout)};
    attention_args args = {
        .layout = &b->layout,
        .query = row_of(queries, columns),
        .key = b->block->cache,
        .value = matrix_at(b->block->cache, 0, key_value_columns(token)),
        .destination = row_of(run->mixed, columns),
        .units = units,
        .segment_partials = ends,
        .partials = run->partials,
        .scratch = queries + attention_round(columns, 16),
    };
    run->kernels->attention_decode(&args, 0, next == part ? 1 : 2);
    if (atomic_fetch_add_explicit(&run->chunks_done[head], 1, memory_order_acq_rel) + 1 < b->chunks) return;
    atomic_store_explicit(&run->chunks_done[head], 0, memory_order_relaxed);
    run->kernels->attention_combine(&args, (int)head, (int)token->key_value_heads);
}

#endif
