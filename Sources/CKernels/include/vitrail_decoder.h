#ifndef VITRAIL_DECODER_H
#define VITRAIL_DECODER_H

#include "vitrail_kernels.h"
#include "vitrail_matvec.h"

#ifdef __cplusplus
extern "C" {
#endif

/// y = x · weights' + bias, weights as `vitrail_matvec` takes them.
typedef struct vitrail_decoder_map {
    const void *weights;
    const float *bias;             ///< [outputs], or NULL
    int64_t ldw;
    vitrail_weight_format format;
} vitrail_decoder_map;

/// One block: h = x + output(attention(rms(x))), y = h + down(activation(gate(rms(h))) * up(rms(h))).
typedef struct vitrail_decoder_block {
    const float *norm1, *norm2;    ///< [hidden]
    float epsilon1, epsilon2;
    vitrail_decoder_map query_key_value;  ///< [query + 2 key-value columns, hidden]
    vitrail_decoder_map output;           ///< [hidden, query columns]
    vitrail_decoder_map gate_up;          ///< [2 inner, hidden]; inner is a multiple of 16 where quantised
    vitrail_decoder_map down;             ///< [hidden, inner]
    vitrail_activation_kind activation;
    ptrdiff_t window;              ///< keys that the token sees at most, itself included; 0 without limit
    vitrail_matrix cache;          ///< keys and values [rows, 2 key-value columns], float32 or bfloat16
} vitrail_decoder_block;

/// A new token's way through all blocks.
typedef struct vitrail_decoder_token {
    const vitrail_decoder_block *blocks;
    ptrdiff_t block_count, hidden, inner, query_heads, key_value_heads, width;
    float scale;                   ///< of the scores
    const float *angles;           ///< [width], the position's cosines and sines, or NULL
    ptrdiff_t first_key, keys;     ///< rows of the caches: where the sequence begins, and its length with this token, written last
    const float *norm;             ///< [hidden], of what the blocks give
    float epsilon;
    vitrail_decoder_map head;      ///< [vocabulary, hidden]
    ptrdiff_t vocabulary;
    const float *x;                ///< [hidden]
    float *logits;                 ///< [vocabulary]
} vitrail_decoder_token;

/// Takes one token through all blocks and the head in one run of the pool; the index of the largest logit, the first of equals. Logits
/// have equal bits to those of the kernels one after the other, whatever the threads.
ptrdiff_t vitrail_decode_token(vitrail_pool *pool, const vitrail_decoder_token *token);

/// Whether `vitrail_decode_rows` takes so many sequences: some rows of bfloat16 weights, where weights are read once for all as they lie.
bool vitrail_decodes_rows(const vitrail_decoder_token *token, ptrdiff_t rows);

/// Likewise a token of each of several sequences, which differ in caches, place, x and logits only; likeliest[rows] are the indices of
/// their largest logits.
void vitrail_decode_rows(vitrail_pool *pool, const vitrail_decoder_token *tokens, ptrdiff_t rows, ptrdiff_t *likeliest);

#ifdef __cplusplus
}
#endif

#endif
