// A new token of each of several sequences through all blocks of a decoder, in one run of the pool, with bfloat16 weights that are read
// once for all of them. A block is seven phases; rows of x are rounded by whoever makes them.
//
//     norm │ queries · keys · values │ turn, store, attention │ output + residual │ norm │ activation(gate) · up │ down + residual
//
// and a norm, the head and the likeliest tokens.

#include "decoder_attention.h"

#if PRODUCT_X86

#include "decoder_rows.h"

enum {
    BLOCK_PHASES = 7,
    PARTS_A_THREAD = 128,
    AHEAD_BYTES = 256 << 10,  // that a thread asks for beside attention
};

// MARK: Attention

/// Into how many parts the heads of a sequence are divided.
static ptrdiff_t head_parts(const decoding_rows *run) {
    return run->m >= 2 * run->sequences->threads ? 1 : run->token->key_value_heads;
}

static decoding_block attention_block(const rows_block *b, ptrdiff_t row) {
    const decoding *sequence = &b->run->sequences[row];
    return sequence_block(sequence, &sequence->token->blocks[b->index]);
}

/// Keys and values of the first sequence that this thread will come to.
static void enter_projection(void *context) {
    const rows_block *b = context;
    const ptrdiff_t row = b->run->m * vitrail_pool_thread() / b->run->sequences->threads;
    const decoding_block own = attention_block(b, row);
    for (ptrdiff_t head = 0; head < b->run->token->key_value_heads; head++) ask_for_keys(&own, own.first_chunk, head);
}

/// A share of what this thread will read of the weights behind attention: memory would rest meanwhile.
static void ask_for_output(const rows_block *b, int part, int parts) {
    const decoding_rows *run = b->run;
    const vitrail_decoder_map *map = &block_of(b)->output;
    const size_t threads = (size_t)run->sequences->threads, each = divide_up(parts, (int64_t)threads);
    const size_t bytes = (size_t)(run->token->hidden * map->ldw) * sizeof(uint16_t) / threads;
    const size_t share = least((int64_t)bytes, AHEAD_BYTES) / each, at = share * ((size_t)part % each);
    ask_for((const char *)map->weights + bytes * (size_t)vitrail_pool_thread() + at, share);
}

/// Reads a word of each line of a chunk's keys and values. A processor drops what it is asked for while it waits for much already, but sees
/// coming what is read from end to end.
static void read_chunk(const decoding_block *b, ptrdiff_t chunk) {
    const vitrail_decoder_token *token = b->run->token;
    const vitrail_matrix cache = b->block->cache;
    const ptrdiff_t first = chunk * ATTENTION_DECODE_KEYS, last = least(first + ATTENTION_DECODE_KEYS, token->keys - 1);
    if (last <= first) return;
    const char *const memory = (const char *)matrix_at(cache, token->first_key + first, 0).data;
    const ptrdiff_t bytes = (last - first) * cache.stride * (cache.is_bfloat16 ? 2 : 4);
    for (ptrdiff_t byte = 0; byte < bytes; byte += 64) (void)*(const volatile char *)(memory + byte);
}

/// All keys of one sequence for all heads or one.
static void attend_rows_part(void *context, int part, int parts) {
    const rows_block *b = context;
    const decoding_rows *run = b->run;
    const ptrdiff_t heads = run->token->key_value_heads, pieces = head_parts(run), row = part / pieces, piece = part % pieces;
    const ptrdiff_t first = heads * piece / pieces, last = heads * (piece + 1) / pieces;
    const decoding_block own = attention_block(b, row);
    ask_for_output(b, part, parts);
    for (ptrdiff_t chunk = 0; chunk < own.chunks; chunk++) {
        read_chunk(&own, own.first_chunk + chunk);
        for (ptrdiff_t head = first; head < last; head++) {
            const int at = (int)(chunk * heads + head);
            attend(&own, at, at);
        }
    }
    const ptrdiff_t group = run->token->query_heads / heads * run->token->width;
    pairs_pack_row(own.run->mixed + first * group, first * group, (last - first) * group, row, run->m,
                   query_columns(run->token), run->mixed);
}

// MARK: The head

static void head_part(void *context, int part, int parts) {
    const rows_block *b = context;
    const decoding_rows *run = b->run;
    const vitrail_decoder_token *token = run->token;
    const int64_t runs = divide_up(token->vocabulary, RUN);
    float sums[PAIRS_MOST_COLUMNS * RUN] __attribute__((aligned(64)));
    likeliest_logit *best = run->likeliest + part * run->m;
    for (int64_t row = 0; row < run->m; row++) best[row] = (likeliest_logit){-__builtin_inff(), runs * part / parts * RUN};
    for (int64_t i = runs * part / parts; i < runs * (part + 1) / parts; i++) {
        const int64_t first = i * RUN, count = least(RUN, token->vocabulary - first);
        run_sums(run, &token->head, token->hidden, first, count, run->normed, sums, RUN);
        for (int64_t row = 0; row < run->m; row++) {
            float *logits = run->sequences[row].token->logits + first;
            const float *own = sums + row * RUN, largest = best[row].logit;
            memcpy(logits, own, (size_t)count * sizeof(float));
            // Hardly any of a run is larger.
            bool is_larger = false;
            for (int64_t j = 0; j < count; j++) is_larger |= own[j] > largest;
            for (int64_t j = 0; is_larger && j < count; j++) {
                if (own[j] > best[row].logit) best[row] = (likeliest_logit){own[j], first + j};
            }
        }
    }
}

// MARK: The whole

static bool is_read_as_it_lies(const vitrail_decoder_map *map) { return map->format == VITRAIL_WEIGHTS_BFLOAT16; }

bool vitrail_decodes_rows(const vitrail_decoder_token *token, ptrdiff_t rows) {
    if (vitrail_cpu() != VITRAIL_CPU_AVX512_BF16 || rows < PAIRS_LEAST_COLUMNS || rows > PAIRS_MOST_COLUMNS) return false;
    bool all = is_read_as_it_lies(&token->head) && token->block_count > 0;
    for (ptrdiff_t i = 0; i < token->block_count; i++) {
        const vitrail_decoder_block *block = &token->blocks[i];
        all = all && is_read_as_it_lies(&block->query_key_value) && is_read_as_it_lies(&block->output)
              && is_read_as_it_lies(&block->gate_up) && is_read_as_it_lies(&block->down);
    }
    return all;
}

static vitrail_phase map_phase(vitrail_task task, rows_block *b, const vitrail_decoder_map *map, ptrdiff_t outputs, ptrdiff_t runs,
                               int threads) {
    return (vitrail_phase){
        .task = task, .context = b, .parts = (int)least(runs, PARTS_A_THREAD * threads), .memory = map->weights,
        .bytes = (size_t)(outputs * map->ldw) * sizeof(uint16_t)};
}

static void plan(rows_block *b, int threads, vitrail_phase *phases) {
    const vitrail_decoder_token *token = b->run->token;
    const vitrail_decoder_block *block = block_of(b);
    const int m = (int)b->run->m;
    const ptrdiff_t hidden = token->hidden, inner = token->inner, qkv = b->run->qkv.columns;
    phases[0] = (vitrail_phase){.task = norm1_part, .context = b, .parts = m};
    phases[1] = map_phase(projection_part, b, &block->query_key_value, qkv, divide_up(qkv, RUN), threads);
    phases[1].enter = enter_projection;
    phases[2] = (vitrail_phase){.task = attend_rows_part, .context = b, .parts = m * (int)head_parts(b->run)};
    phases[3] = map_phase(output_part, b, &block->output, hidden, divide_up(hidden, RUN), threads);
    phases[4] = (vitrail_phase){.task = norm2_part, .context = b, .parts = m};
    phases[5] = map_phase(inner_part, b, &block->gate_up, 2 * inner, divide_up(inner, RUN), threads);
    phases[6] = map_phase(down_part, b, &block->down, hidden, divide_up(hidden, RUN), threads);
}

/// The next piece of a block of memory; only its length is counted while `memory` is NULL.
static void *next_piece(char *memory, size_t *used, size_t bytes) {
    void *piece = memory ? memory + *used : NULL;
    *used += (bytes + 63) / 64 * 64;
    return piece;
}

static vitrail_matrix next_rows(char *memory, size_t *used, int64_t rows, ptrdiff_t columns) {
    // Rows 4 KiB apart would share a set of the first-level cache.
    const ptrdiff_t stride = attention_round(columns, 16) + 16;
    float *data = next_piece(memory, used, sizeof(float) * (size_t)(rows * stride));
    return (vitrail_matrix){.data = data, .rows = rows, .columns = columns, .stride = stride};
}

void vitrail_decode_rows(vitrail_pool *pool, const vitrail_decoder_token *tokens, ptrdiff_t rows, ptrdiff_t *likeliest) {
    const int threads = vitrail_pool_threads(pool);
    const ptrdiff_t q = query_columns(tokens), hidden = tokens->hidden, heads = tokens->key_value_heads;
    const ptrdiff_t count = tokens->block_count, vocabulary_runs = divide_up(tokens->vocabulary, RUN);
    decoding_rows run = {.token = tokens, .m = rows};
    ptrdiff_t longest = 0;
    for (ptrdiff_t i = 0; i < rows; i++) longest = tokens[i].keys > longest ? tokens[i].keys : longest;
    const vitrail_attention_layout layout = sequence_layout(tokens);
    const ptrdiff_t group = tokens->query_heads / heads, chunks = divide_up(longest, ATTENTION_DECODE_KEYS);
    const ptrdiff_t own = attention_round(q, 16) + attention_decode_scratch(&layout, group);
    const size_t scratch_stride = (sizeof(float) * (size_t)(own > hidden ? own : hidden) + 127) / 64 * 64;
    const size_t packed[3] = {pairs_bytes(rows, hidden), pairs_bytes(rows, q), pairs_bytes(rows, tokens->inner)};
    decoding *sequences = NULL;
    rows_block *blocks = NULL;
    vitrail_phase *phases = NULL;
    vitrail_matrix mixed, partials;
    _Atomic int *counters = NULL;
    char *memory = NULL, *scratch = NULL;
    size_t used = 0;
    // Once to count, once to place.
    for (int round = 0; round < 2; round++) {
        if (round == 1) memory = vitrail_scratch(pool, used);
        used = 0;
        scratch = next_piece(memory, &used, scratch_stride * (size_t)threads);
        run.qkv = next_rows(memory, &used, rows, q + 2 * key_value_columns(tokens));
        run.middle = next_rows(memory, &used, rows, hidden);
        run.stream = next_rows(memory, &used, rows, hidden);
        mixed = next_rows(memory, &used, rows, q);
        partials = next_rows(memory, &used, rows, chunks * tokens->query_heads * attention_partial(&layout));
        run.normed = next_piece(memory, &used, packed[0]);
        run.mixed = next_piece(memory, &used, packed[1]);
        run.inner = next_piece(memory, &used, packed[2]);
        run.likeliest = next_piece(
            memory, &used, sizeof(likeliest_logit) * (size_t)(rows * least(vocabulary_runs, PARTS_A_THREAD * threads)));
        sequences = next_piece(memory, &used, sizeof(decoding) * (size_t)rows);
        counters = next_piece(memory, &used, sizeof(_Atomic int) * (size_t)(rows * heads));
        blocks = next_piece(memory, &used, sizeof(rows_block) * (size_t)(count + 1));
        phases = next_piece(memory, &used, sizeof(vitrail_phase) * (size_t)(count * BLOCK_PHASES + 2));
    }
    // Terms beyond the last one are multiplied too.
    memset(run.normed, 0, packed[0]);
    memset(run.mixed, 0, packed[1]);
    memset(run.inner, 0, packed[2]);
    memset((void *)counters, 0, sizeof(_Atomic int) * (size_t)(rows * heads));
    run.sequences = sequences;
    for (ptrdiff_t i = 0; i < rows; i++) {
        sequences[i] = (decoding){
            .token = &tokens[i], .kernels = vitrail_kernels(), .qkv = run.qkv.data + i * run.qkv.stride,
            .mixed = mixed.data + i * mixed.stride, .partials = partials.data + i * partials.stride,
            .chunks_done = counters + i * heads, .scratch = scratch, .scratch_stride = scratch_stride, .threads = threads,
            .query_offsets = {0, 1}, .key_start = (int32_t)tokens[i].first_key, .key_count = (int32_t)tokens[i].keys};
    }
    for (ptrdiff_t i = 0; i <= count; i++) blocks[i] = (rows_block){&run, i};
    for (ptrdiff_t i = 0; i < count; i++) plan(&blocks[i], threads, phases + i * BLOCK_PHASES);
    vitrail_phase *last = phases + count * BLOCK_PHASES;
    last[0] = (vitrail_phase){.task = last_norm_part, .context = &blocks[count], .parts = (int)rows};
    last[1] = map_phase(head_part, &blocks[count], &tokens->head, tokens->vocabulary, vocabulary_runs, threads);
    vitrail_pool_run_phases(pool, phases, (int)(count * BLOCK_PHASES + 2));
    for (ptrdiff_t row = 0; row < rows; row++) {
        likeliest_logit best = run.likeliest[row];
        for (int part = 1; part < last[1].parts; part++) {
            const likeliest_logit other = run.likeliest[part * rows + row];
            if (other.logit > best.logit) best = other;
        }
        likeliest[row] = best.index;
    }
    vitrail_pool_return(pool, memory);
}

#else

bool vitrail_decodes_rows(const vitrail_decoder_token *token, ptrdiff_t rows) {
    (void)token;
    (void)rows;
    return false;
}

void vitrail_decode_rows(vitrail_pool *pool, const vitrail_decoder_token *tokens, ptrdiff_t rows, ptrdiff_t *likeliest) {
    for (ptrdiff_t i = 0; i < rows; i++) likeliest[i] = vitrail_decode_token(pool, &tokens[i]);
}

#endif
