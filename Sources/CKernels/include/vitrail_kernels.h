#ifndef VITRAIL_KERNELS_H
#define VITRAIL_KERNELS_H

#include "vitrail_blocks.h"
#include "vitrail_pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Kernels the size of a network's operations. Matrices are row-major; `accumulate` adds to the destination.
// Sources and destinations do not overlap unless a comment says "may be the same memory". Every kernel runs on the
// pool's threads (NULL: one thread) with the widest vectors that `vitrail_cpu` allows, and gives the same bits
// whenever arguments, threads and instruction set are the same.

/// A window of rows `stride` elements apart. Elements are float32, or bfloat16 behind a pointer that says otherwise where a
/// kernel says that it takes "either type"; results are rounded to nearest even.
typedef struct vitrail_matrix {
    float *data;
    ptrdiff_t rows, columns, stride;
    bool is_bfloat16;
} vitrail_matrix;

/// How elements are stored; the block forms are those of vitrail_blocks.h.
typedef enum vitrail_dtype {
    VITRAIL_DTYPE_FLOAT32 = 0,
    VITRAIL_DTYPE_FLOAT16 = 1,
    VITRAIL_DTYPE_BFLOAT16 = 2,
    VITRAIL_DTYPE_INT32 = 3,
    VITRAIL_DTYPE_INT4_BLOCKS = 4,
    VITRAIL_DTYPE_INT8_BLOCKS_64 = 5,
    VITRAIL_DTYPE_INT8_BLOCKS_128 = 6,
    VITRAIL_DTYPE_INT8_BLOCKS_192 = 7,
    VITRAIL_DTYPE_INT8_BLOCKS_256 = 8,
} vitrail_dtype;

/// The elementwise functions of the supported families.
typedef enum vitrail_activation_kind {
    VITRAIL_GELU,
    VITRAIL_GELU_TANH,
    VITRAIL_QUICK_GELU,
    VITRAIL_SILU,
    VITRAIL_RELU,
    VITRAIL_TANH,
    VITRAIL_SIGMOID,
} vitrail_activation_kind;

// Memory

/// A block of `bytes` bytes aligned to 64, from 2 MiB on in huge pages of its own; NULL when memory is short.
void *vitrail_memory_take(size_t bytes);
/// Gives a block of `vitrail_memory_take` with the same size back to the operating system.
void vitrail_memory_give(void *memory, size_t bytes);
/// Gives the pages of a part of a block back, from one multiple of 4 KiB to another; the addresses stay the caller's, and what
/// they hold is lost. How many bytes went.
size_t vitrail_memory_discard(void *memory, size_t bytes);

// Elementwise

/// destination[i] = value.
void vitrail_fill(vitrail_pool *pool, float *destination, ptrdiff_t count, float value);
/// Copies bytes.
void vitrail_copy(vitrail_pool *pool, void *destination, const void *source, ptrdiff_t bytes);
/// Converts `count` elements, rounding to nearest even; the last block of a block form is filled up with zeros.
/// One of the two types is float32, or both are the same.
void vitrail_convert(
    vitrail_pool *pool, const void *source, vitrail_dtype source_type, void *destination,
    vitrail_dtype destination_type, ptrdiff_t count);
/// Block-form weights [rows, columns] (whole blocks a row) in the order of `vitrail_matvec`, codes and scales unchanged.
/// The destination may be the same memory, if rows are a multiple of 16: both orders then take as many bytes.
/// Returns false when scratch memory is short, which other memory does not need.
bool vitrail_regroup_blocks(
    vitrail_pool *pool, const void *blocks, vitrail_dtype dtype, ptrdiff_t rows, ptrdiff_t columns,
    void *destination);
/// The way back.
bool vitrail_blocks_from_groups(
    vitrail_pool *pool, const void *groups, vitrail_dtype dtype, ptrdiff_t rows, ptrdiff_t columns,
    void *destination);
/// destination = a + b; may be the same memory.
void vitrail_add(vitrail_pool *pool, const float *a, const float *b, float *destination, ptrdiff_t count);
/// destination = factor · source (+ destination); may be the same memory.
void vitrail_scale(
    vitrail_pool *pool, const float *source, float factor, float *destination, ptrdiff_t count, bool accumulate);
/// destination = a ⊙ b (+ destination); may be the same memory.
void vitrail_multiply(
    vitrail_pool *pool, const float *a, const float *b, float *destination, ptrdiff_t count, bool accumulate);
/// destination[r, c] = x[r, c] · vector[c] (+ destination); may be the same memory as x.
void vitrail_scale_columns(
    vitrail_pool *pool, vitrail_matrix x, const float *vector, vitrail_matrix destination, bool accumulate);
/// destination[c] = Σ_r a[r, c] · b[r, c] (+ destination); without b (NULL), Σ_r a[r, c]. Both of either type.
void vitrail_sum_rows(
    vitrail_pool *pool, vitrail_matrix a, const vitrail_matrix *b, float *destination, bool accumulate);
/// destination = function(x), both without gaps and of either type; may be the same memory.
void vitrail_activation(
    vitrail_pool *pool, vitrail_activation_kind function, vitrail_matrix x, vitrail_matrix destination);
/// destination = gradient ⊙ function′(x) (+ destination), all without gaps and of either type; may be the same memory as
/// gradient or x. function(x) is written to `value` as well, unless its data is NULL.
void vitrail_activation_gradient(
    vitrail_pool *pool, vitrail_activation_kind function, vitrail_matrix x, vitrail_matrix gradient,
    vitrail_matrix destination, bool accumulate, vitrail_matrix value);
/// destination[r, f] = function(x[r, f]) · x[r, F + f], with F = destination.columns = x.columns / 2; either type.
void vitrail_gated_activation(
    vitrail_pool *pool, vitrail_activation_kind function, vitrail_matrix x, vitrail_matrix destination);
/// Gradient of `vitrail_gated_activation` for both halves: destination [rows, 2F], gradient [rows, F]; destination may be x.
/// Either type. The function's result is written to `value` as well, unless its data is NULL.
void vitrail_gated_activation_gradient(
    vitrail_pool *pool, vitrail_activation_kind function, vitrail_matrix x, vitrail_matrix gradient,
    vitrail_matrix destination, bool accumulate, vitrail_matrix value);
/// Zeroes element i where output i of SplitMix64 (upper 24 bits as a fraction) is below `rate`, else scales by
/// 1/(1 − rate); may be the same memory.
void vitrail_dropout(
    vitrail_pool *pool, const float *x, float rate, uint64_t seed, float *destination, ptrdiff_t count,
    bool accumulate);

// Norms, per row. Gradients with `into.data == NULL` or a NULL vector are not computed.

/// destination = (x − mean) / √(variance + ε) · weight + bias, of either type; statistics [rows, 2] = mean, 1/√(…).
void vitrail_layer_norm(
    vitrail_pool *pool, vitrail_matrix x, const float *weight, const float *bias, float epsilon,
    vitrail_matrix destination, float *statistics);
/// Gradients of `vitrail_layer_norm` from `gradient` of either type; `into` may be the same memory where that is float32. The norm's
/// result, which needs `bias`, is written to `value` as well, unless its data is NULL.
void vitrail_layer_norm_gradient(
    vitrail_pool *pool, vitrail_matrix x, const float *weight, const float *bias, const float *statistics,
    vitrail_matrix gradient, vitrail_matrix into, bool accumulate, float *weight_gradient, bool accumulate_weight,
    float *bias_gradient, bool accumulate_bias, vitrail_matrix value);
/// destination = x / √(mean(x²) + ε) · weight, of either type; statistics [rows] = 1/√(…).
void vitrail_rms_norm(
    vitrail_pool *pool, vitrail_matrix x, const float *weight, float epsilon, vitrail_matrix destination,
    float *statistics);
/// Gradients of `vitrail_rms_norm` from `gradient` of either type; `into` may be the same memory where that is float32. The norm's
/// result is written to `value` as well, unless its data is NULL.
void vitrail_rms_norm_gradient(
    vitrail_pool *pool, vitrail_matrix x, const float *weight, const float *statistics, vitrail_matrix gradient,
    vitrail_matrix into, bool accumulate, float *weight_gradient, bool accumulate_weight, vitrail_matrix value);
/// destination = x / max(‖x‖, ε); norms [rows] = ‖x‖.
void vitrail_normalize_rows(
    vitrail_pool *pool, vitrail_matrix x, float epsilon, vitrail_matrix destination, float *norms);
/// Gradient of `vitrail_normalize_rows` from its result.
void vitrail_normalize_rows_gradient(
    vitrail_pool *pool, vitrail_matrix normalized, const float *norms, vitrail_matrix gradient, float epsilon,
    vitrail_matrix destination, bool accumulate);

// Rows

/// destination[i] = table[indices[i]] (+ destination), zero rows for negative indices; without indices (NULL),
/// destination[i] = table[i]. Rows of the table are `row_bytes` apart and of any dtype but int32.
void vitrail_gather_rows(
    vitrail_pool *pool, const void *table, vitrail_dtype dtype, ptrdiff_t row_bytes, const int32_t *indices,
    vitrail_matrix destination, bool accumulate);
/// The same of a table of block-form weights in the order of `vitrail_matvec`, as wide as the destination.
void vitrail_gather_groups(
    vitrail_pool *pool, const void *groups, vitrail_dtype dtype, const int32_t *indices, vitrail_matrix destination,
    bool accumulate);
/// destination[indices[i]] += source[i] in increasing i, or = source[i] without `accumulate`, where the destination may be of
/// either type; negative indices are skipped.
void vitrail_scatter_rows(
    vitrail_pool *pool, vitrail_matrix source, const int32_t *indices, vitrail_matrix destination, bool accumulate);
/// destination[s] = mean of rows offsets[s] ..< offsets[s + 1] of x, with destination.rows segments; no rows give zeros.
void vitrail_mean_rows(vitrail_pool *pool, vitrail_matrix x, const int32_t *offsets, vitrail_matrix destination);
/// Every row of segment s receives gradient[s] / rows of s (+ destination).
void vitrail_mean_rows_gradient(
    vitrail_pool *pool, vitrail_matrix gradient, const int32_t *offsets, vitrail_matrix destination, bool accumulate);
/// Cuts images [images, channels, height, width] into rows [images · patches, channels · patch · patch].
void vitrail_patches(
    vitrail_pool *pool, const float *images, ptrdiff_t channels, ptrdiff_t height, ptrdiff_t width, ptrdiff_t patch,
    ptrdiff_t count, vitrail_matrix destination);
/// Puts rows back where `vitrail_patches` took them (+ images); pixels outside of whole patches become zero.
void vitrail_patches_gradient(
    vitrail_pool *pool, vitrail_matrix gradient, ptrdiff_t channels, ptrdiff_t height, ptrdiff_t width,
    ptrdiff_t patch, ptrdiff_t count, float *images, bool accumulate);
/// Turns pairs (x[i], x[i + width/2]) of every head by the angles of positions[row], in place, x of either type; table
/// [positions, width] holds width/2 cosines, then width/2 sines.
void vitrail_rotate(
    vitrail_pool *pool, vitrail_matrix x, ptrdiff_t head_width, const int32_t *positions, const float *table,
    bool inverse);

// Attention

/// Which columns are which head, and which keys each query sees (see AttentionSegments in TensorCore).
typedef struct vitrail_attention_layout {
    ptrdiff_t query_heads, key_value_heads, width;
    float scale;
    ptrdiff_t segments;
    const int32_t *query_offsets;  ///< [segments + 1]
    const int32_t *key_starts;     ///< [segments]
    const int32_t *key_counts;     ///< [segments]
    const int32_t *prefix_counts;  ///< [segments], or NULL
    bool is_causal;
    ptrdiff_t window;              ///< keys that a query sees at most, itself the last of them; 0 without limit
    bool in_bfloat16;              ///< whether the factors of its products may be rounded to bfloat16
} vitrail_attention_layout;

/// Whether attention multiplies factors of bfloat16 on this processor, where its layout says that it may.
bool vitrail_attention_in_bfloat16(void);
/// Whether `vitrail_attention` and its gradient take matrices of either type with this layout; otherwise only keys and values
/// of the former may be bfloat16, both.
bool vitrail_attention_takes_bfloat16(const vitrail_attention_layout *layout);
/// destination = softmax(scale · q kᵀ) v over segments; log_sum_exp [queries, query_heads], or NULL.
void vitrail_attention(
    vitrail_pool *pool, const vitrail_attention_layout *layout, vitrail_matrix query, vitrail_matrix key,
    vitrail_matrix value, vitrail_matrix destination, float *log_sum_exp);
/// Gradients of `vitrail_attention`; destinations are overwritten in the rows that belong to a segment.
void vitrail_attention_gradient(
    vitrail_pool *pool, const vitrail_attention_layout *layout, vitrail_matrix query, vitrail_matrix key,
    vitrail_matrix value, vitrail_matrix output, const float *log_sum_exp, vitrail_matrix gradient,
    vitrail_matrix into_query, vitrail_matrix into_key, vitrail_matrix into_value);

// Losses

/// losses[r] = logsumexp(logits[r]) − logits[r, labels[r]], 0 where labels[r] < 0; with `gradient_scale` (or NULL)
/// logits become gradient_scale · (softmax − onehot).
void vitrail_softmax_cross_entropy(
    vitrail_pool *pool, vitrail_matrix logits, const int32_t *labels, float *losses, const float *gradient_scale);
/// Rows become probabilities, in place.
void vitrail_softmax(vitrail_pool *pool, vitrail_matrix logits);
/// losses[r] = Σ_c −log σ(y z) / rows with z = temperature · s + bias and y = targets[r, c], 1 or −1; similarities become
/// d loss / d z.
void vitrail_pairwise_sigmoid_loss(
    vitrail_pool *pool, vitrail_matrix similarities, vitrail_matrix targets, float temperature, float bias, float *losses);

// Optimizers

/// A run of floats.
typedef struct vitrail_span {
    const float *data;
    ptrdiff_t count;
} vitrail_span;

/// Σ x² over all spans, in double; does not depend on the number of threads.
double vitrail_sum_of_squares(vitrail_pool *pool, const vitrail_span *spans, ptrdiff_t count);

/// Weights under one learning rate with their gradient and moments, `count` elements each.
typedef struct vitrail_adamw_slice {
    float *parameter;
    const float *gradient;
    float *first_moment, *second_moment;
    ptrdiff_t count;
    float learning_rate, weight_decay;
} vitrail_adamw_slice;

/// An AdamW update that is under way.
typedef struct vitrail_adamw_update vitrail_adamw_update;

/// One AdamW update (Loshchilov & Hutter 2019) as PyTorch computes it; `step` counts from 1. A large one goes on beside the runs that
/// follow (`vitrail_pool_begin`), slice by slice in their order, and what the slices point to has to stay; NULL when it is done.
vitrail_adamw_update *vitrail_adamw(
    vitrail_pool *pool, const vitrail_adamw_slice *slices, ptrdiff_t count, double beta1, double beta2,
    double epsilon, int64_t step, float gradient_scale);

/// Returns when the first `slices` slices are done, or all where there are fewer. Any thread may wait.
void vitrail_adamw_wait(vitrail_adamw_update *update, ptrdiff_t slices);

/// Waits for all slices and forgets the update.
void vitrail_adamw_end(vitrail_adamw_update *update);

// Tuning

/// A low-rank product beside a map: scale · B A for A [rank, inputs] and B [outputs, rank], added to columns of the result that
/// begin at `first`. Gradients whose memory is NULL are not wanted.
typedef struct vitrail_low_rank_product {
    const float *a, *b;
    ptrdiff_t rank, first, outputs;
    float scale;
    float *a_gradient, *b_gradient;
    bool a_accumulate, b_accumulate;
} vitrail_low_rank_product;

/// The largest rank of a product, and the largest sum of ranks: beyond them matrix products are faster.
typedef struct vitrail_low_rank_limits {
    ptrdiff_t rank, ranks;
} vitrail_low_rank_limits;

/// The limits of this processor, `in_bfloat16` where factors may be rounded to it.
vitrail_low_rank_limits vitrail_low_rank_most(bool in_bfloat16);

/// h = x Aᵀ and y += scale · h Bᵀ for products of one input, their h side by side: x [rows, inputs], h [rows, ranks], y [rows, columns].
/// x and y may be bfloat16, h is float32.
void vitrail_low_rank(
    vitrail_pool *pool, const vitrail_low_rank_product *products, ptrdiff_t count, bool in_bfloat16, vitrail_matrix x,
    vitrail_matrix h, vitrail_matrix y);
/// Gradients of `vitrail_low_rank` in one pass over x and y's gradient: with dh = scale · dy B, dA = dhᵀ x, dB = scale · dyᵀ h and
/// dx = Σ dh A, not computed where its memory is NULL. Sums over rows are added in an order of their own, whatever the thread.
void vitrail_low_rank_gradient(
    vitrail_pool *pool, const vitrail_low_rank_product *products, ptrdiff_t count, bool in_bfloat16, vitrail_matrix x,
    vitrail_matrix h, vitrail_matrix gradient, vitrail_matrix x_gradient, bool x_accumulate);

/// Weights that share a scale in `vitrail_codes`.
enum { VITRAIL_CODE_BLOCK = 64 };

/// Weights as codes in blocks of 64 with a scale each, which may itself be a code.
typedef struct vitrail_codes {
    const uint8_t *codes;   // two of 4 bits a byte, the first in the high half; or one signed byte each
    const float *values;    // what the 16 codes of 4 bits mean; NULL for 8 bits, where codes are 127ths of the scale
    const float *scales;    // of each block, or NULL
    const uint8_t *scale_codes;  // then scale = scale_values[code] · outer_scales[block / 256] + offset
    const float *scale_values, *outer_scales;
    float offset;
} vitrail_codes;

/// destination = the values of `count` codes, as floats, or where `is_narrow` rounded to bfloat16, nearest even.
void vitrail_widen_codes(
    vitrail_pool *pool, const vitrail_codes *codes, void *destination, bool is_narrow, ptrdiff_t count);

#ifdef __cplusplus
}
#endif

#endif
