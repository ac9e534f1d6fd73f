// A token of each of several sequences on its way through a decoder: what its phases share, norms and maps; included by decoder_rows.c
// alone.
#ifndef DECODER_ROWS_H
#define DECODER_ROWS_H

#include "decoder_attention.h"

enum { RUN = PAIRS_RUN_ROWS };

/// What rows of the sequences share; all matrices have a row for each.
typedef struct {
    const vitrail_decoder_token *token;   // the first one, for what all share
    const decoding *sequences;            // [m], for attention
    vitrail_matrix qkv, middle, stream;
    uint16_t *normed, *mixed, *inner;     // packed for the maps
    likeliest_logit *likeliest;           // [parts of the head][m]
    int64_t m;
} decoding_rows;

/// One block of it.
typedef struct {
    const decoding_rows *run;
    ptrdiff_t index;
} rows_block;

static const vitrail_decoder_block *block_of(const rows_block *b) { return &b->run->token->blocks[b->index]; }

/// What a block gets, a row.
static const float *input_row(const decoding_rows *run, ptrdiff_t block, ptrdiff_t row) {
    return block == 0 ? run->sequences[row].token->x : run->stream.data + row * run->stream.stride;
}

static void norm_rows(const decoding_rows *run, ptrdiff_t first, ptrdiff_t last, ptrdiff_t block, bool is_middle, const float *weight,
                      float epsilon) {
    const ptrdiff_t hidden = run->token->hidden;
    for (ptrdiff_t row = first; row < last; row++) {
        float *normed = own_floats(run->sequences), statistics;
        const float *x = is_middle ? run->middle.data + row * run->middle.stride : input_row(run, block, row);
        norm_args args = {
            .x = row_of(x, hidden), .destination = row_of(normed, hidden), .weight = weight, .epsilon = epsilon,
            .statistics = &statistics};
        run->sequences->kernels->rms_norm(&args, 0, 1);
        pairs_pack_row(normed, 0, hidden, row, run->m, hidden, run->normed);
    }
}

static void norm1_part(void *context, int part, int parts) {
    const rows_block *b = context;
    const int64_t m = b->run->m;
    norm_rows(b->run, m * part / parts, m * (part + 1) / parts, b->index, false, block_of(b)->norm1, block_of(b)->epsilon1);
}

static void norm2_part(void *context, int part, int parts) {
    const rows_block *b = context;
    const int64_t m = b->run->m;
    norm_rows(b->run, m * part / parts, m * (part + 1) / parts, b->index, true, block_of(b)->norm2, block_of(b)->epsilon2);
}

static void last_norm_part(void *context, int part, int parts) {
    const rows_block *b = context;
    const int64_t m = b->run->m;
    norm_rows(b->run, m * part / parts, m * (part + 1) / parts, b->index, false, b->run->token->norm, b->run->token->epsilon);
}

// MARK: Maps

/// sums[m] of a run of rows of a map, rows `stride` apart.
static void run_sums(const decoding_rows *run, const vitrail_decoder_map *map, int64_t inputs, int64_t first, int64_t count,
                     const uint16_t *x, float *sums, int64_t stride) {
    pairs_sums((const uint16_t *)map->weights + first * map->ldw, map->ldw, inputs, (int)count, x, run->m, sums, stride);
    if (!map->bias) return;
    for (int64_t row = 0; row < run->m; row++) {
        for (int64_t i = 0; i < count; i++) sums[row * stride + i] += map->bias[first + i];
    }
}

static void projection_part(void *context, int part, int parts) {
    const rows_block *b = context;
    const decoding_rows *run = b->run;
    const int64_t outputs = run->qkv.columns, runs = divide_up(outputs, RUN);
    float sums[PAIRS_MOST_COLUMNS * RUN] __attribute__((aligned(64)));
    for (int64_t i = runs * part / parts; i < runs * (part + 1) / parts; i++) {
        const int64_t first = i * RUN, count = least(RUN, outputs - first);
        run_sums(run, &block_of(b)->query_key_value, run->token->hidden, first, count, run->normed, sums, RUN);
        for (int64_t row = 0; row < run->m; row++) {
            memcpy(run->qkv.data + row * run->qkv.stride + first, sums + row * RUN, (size_t)count * sizeof(float));
        }
    }
}

/// A map back into the residual stream.
static void residual_part(const rows_block *b, const vitrail_decoder_map *map, int64_t inputs, const uint16_t *x, bool is_middle,
                          int part, int parts) {
    const decoding_rows *run = b->run;
    const int64_t outputs = run->token->hidden, runs = divide_up(outputs, RUN);
    float sums[PAIRS_MOST_COLUMNS * RUN] __attribute__((aligned(64)));
    for (int64_t i = runs * part / parts; i < runs * (part + 1) / parts; i++) {
        const int64_t first = i * RUN, count = least(RUN, outputs - first);
        run_sums(run, map, inputs, first, count, x, sums, RUN);
        for (int64_t row = 0; row < run->m; row++) {
            float *middle = run->middle.data + row * run->middle.stride + first;
            const float *addend = is_middle ? middle : input_row(run, b->index, row) + first;
            float *out = is_middle ? run->stream.data + row * run->stream.stride + first : middle;
            for (int64_t j = 0; j < count; j++) out[j] = sums[row * RUN + j] + addend[j];
        }
    }
}

static void output_part(void *context, int part, int parts) {
    const rows_block *b = context;
    residual_part(b, &block_of(b)->output, query_columns(b->run->token), b->run->mixed, false, part, parts);
}

static void down_part(void *context, int part, int parts) {
    const rows_block *b = context;
    residual_part(b, &block_of(b)->down, b->run->token->inner, b->run->inner, true, part, parts);
}

/// The same rows of gate and up, and what becomes of them.
static void inner_part(void *context, int part, int parts) {
    const rows_block *b = context;
    const decoding_rows *run = b->run;
    const vitrail_decoder_map *map = &block_of(b)->gate_up;
    const int64_t hidden = run->token->hidden, inner = run->token->inner, runs = divide_up(inner, RUN);
    float both[PAIRS_MOST_COLUMNS * 2 * RUN] __attribute__((aligned(64))), activated[PAIRS_MOST_COLUMNS * RUN];
    for (int64_t i = runs * part / parts; i < runs * (part + 1) / parts; i++) {
        const int64_t first = i * RUN, count = least(RUN, inner - first);
        run_sums(run, map, hidden, first, count, run->normed, both, 2 * RUN);
        run_sums(run, map, hidden, inner + first, count, run->normed, both + count, 2 * RUN);
        rows_args args = {
            .x = {.data = both, .rows = run->m, .columns = 2 * count, .stride = 2 * RUN},
            .destination = {.data = activated, .rows = run->m, .columns = count, .stride = RUN},
            .function = (int)block_of(b)->activation};
        run->sequences->kernels->gated_activation(&args, 0, 1);
        for (int64_t row = 0; row < run->m; row++) {
            pairs_pack_row(activated + row * RUN, first, count, row, run->m, inner, run->inner);
        }
    }
}

#endif
