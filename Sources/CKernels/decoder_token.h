// A token on its way through a decoder: what its phases share; included by decoder.c and decoder_rows.c.
#ifndef DECODER_TOKEN_H
#define DECODER_TOKEN_H

#include "kernel_table.h"
#include "matvec_internal.h"
#include "vitrail_decoder.h"

#include <stdatomic.h>

/// The largest of some logits, the first of equals.
typedef struct {
    float logit;
    ptrdiff_t index;
} likeliest_logit;

/// A token under way; what threads share.
typedef struct {
    const vitrail_decoder_token *token;
    const vitrail_kernel_table *kernels;
    float *qkv, *mixed, *middle, *inner;  // queries, keys and values; values by attention; after the output map; inner columns
    float *stream;                        // what the blocks before gave
    likeliest_logit *likeliest;           // of each part of the head
    float *partials;
    _Atomic int *chunks_done;             // [key-value heads], chunks of the current block that are done
    char *scratch;                        // a thread's own, scratch_stride bytes each
    size_t scratch_stride, prepared_bytes;
    int threads;
    int32_t query_offsets[2], key_start, key_count;
} decoding;

/// One block of it.
typedef struct {
    decoding *run;
    const vitrail_decoder_block *block;
    const float *x;
    vitrail_attention_layout layout;
    ptrdiff_t first_chunk, chunks;
} decoding_block;

// MARK: A thread's own memory

static void *prepared_row(const decoding *run) {
    return run->scratch + (size_t)vitrail_pool_thread() * run->scratch_stride;
}

static float *own_floats(const decoding *run) { return (float *)((char *)prepared_row(run) + run->prepared_bytes); }

static vitrail_matrix row_of(const float *data, ptrdiff_t columns) {
    return (vitrail_matrix){.data = (float *)data, .rows = 1, .columns = columns, .stride = columns};
}

/// Asks for memory that a later phase reads in short or scattered pieces, of which a processor does not see them coming.
static void ask_for(const void *memory, size_t bytes) {
    for (size_t byte = 0; byte < bytes; byte += 64) __builtin_prefetch((const char *)memory + byte, 0, 2);
}

/// The root-mean-square norm of a row, ready for a map.
static inline void prepare_normed(const decoding *run, const float *x, const float *weight, float epsilon, vitrail_weight_format format) {
    const ptrdiff_t hidden = run->token->hidden;
    float *normed = own_floats(run), statistics;
    norm_args args = {
        .x = row_of(x, hidden), .destination = row_of(normed, hidden), .weight = weight, .epsilon = epsilon,
        .statistics = &statistics};
    run->kernels->rms_norm(&args, 0, 1);
    prepare_row(format, normed, hidden, prepared_row(run));
}

static ptrdiff_t query_columns(const vitrail_decoder_token *token) { return token->query_heads * token->width; }
static ptrdiff_t key_value_columns(const vitrail_decoder_token *token) { return token->key_value_heads * token->width; }

#endif
