// What the loops of every instruction set receive, and the table through which they are called.
#ifndef VITRAIL_KERNEL_TABLE_H
#define VITRAIL_KERNEL_TABLE_H

#include "code_scale.h"
#include "split.h"
#include "vitrail_kernels.h"

/// Elementwise over `count` floats; which fields are used depends on the task.
typedef struct elementwise_args {
    const float *a, *b;
    float *destination;
    ptrdiff_t count;
    float factor;
    uint64_t seed;
    bool accumulate;
} elementwise_args;

/// Row by row over matrices.
typedef struct rows_args {
    vitrail_matrix x, y, destination;
    vitrail_matrix value;  // of an activation function, which its gradient writes on the way where data is not NULL
    const float *vector;
    float *partials;  // [parts, columns], or NULL
    int function;
    bool accumulate;
} rows_args;

typedef struct convert_args {
    const void *source;
    void *destination;
    ptrdiff_t count;
    vitrail_dtype type;  // of the narrow side
} convert_args;

typedef struct norm_args {
    vitrail_matrix x, gradient, destination;
    vitrail_matrix value;  // what the gradient writes again where data is not NULL
    const float *weight, *bias;
    float *statistics;
    float epsilon;
    float *weight_partials, *bias_partials;  // [parts, columns], or NULL
    bool accumulate;
} norm_args;

typedef struct index_args {
    const void *table;
    vitrail_dtype dtype;
    ptrdiff_t row_bytes;
    const int32_t *indices;
    vitrail_matrix source, destination;
    bool accumulate;
} index_args;

typedef struct patches_args {
    float *images;
    ptrdiff_t channels, height, width, patch, count;
    vitrail_matrix rows;
    bool accumulate;
} patches_args;

typedef struct rotate_args {
    vitrail_matrix x;
    ptrdiff_t head_width;
    const int32_t *positions;
    const float *table;
    bool inverse;
} rotate_args;

typedef struct loss_args {
    vitrail_matrix logits, targets;
    const int32_t *labels;
    float *losses;
    const float *gradient_scale;
    float temperature, bias;
} loss_args;

typedef struct squares_args {
    const vitrail_span *spans;
    ptrdiff_t span_count, chunk_count;
    double *sums;  // [chunk_count]
} squares_args;

/// Floats whose squares are summed together before the sums are added in order.
enum { SQUARES_CHUNK = 16384 };

/// Elements at whose multiples an update is cut into parts.
enum { ADAMW_ALIGNMENT = 64 };

typedef struct adamw_args {
    const vitrail_adamw_slice *slices;
    ptrdiff_t slice_count, total;
    float beta1, beta2, one_minus_beta1, one_minus_beta2;
    float correction1, root_correction2;  // 1 − β₁ᵗ and √(1 − β₂ᵗ)
    float epsilon, gradient_scale;
} adamw_args;

/// Low-rank products beside maps of one input, or their gradients; `y` is the result or its gradient.
typedef struct low_rank_args {
    const vitrail_low_rank_product *products;
    ptrdiff_t count, ranks;          // products, and the sum of their ranks
    vitrail_matrix x, y, destination, h;
    const float *down;               // all A, [ranks, inputs]
    const float *up;                 // scale · Bᵀ of each product, [rank, outputs], one behind the other
    float *a_partials, *b_partials;  // [parts] of what `down` and `up` are, or NULL
    ptrdiff_t up_count;              // floats of `up`
    bool accumulate;
} low_rank_args;

/// Rows that are worked on at once, and the largest sum of ranks.
enum { LOW_RANK_BLOCK = 32, LOW_RANK_MOST_RANKS = 64 };

typedef struct codes_args {
    const vitrail_codes *of;
    const uint8_t *codes;
    const float *values, *pairs;  // what 4-bit codes mean, and the two values of each byte of them; NULL for 8 bits
    float *destination;
    bool is_narrow;
    ptrdiff_t count;
} codes_args;

#include "attention_plan.h"

typedef struct vitrail_kernel_table {
    vitrail_task fill, add, scale, multiply, scale_columns, sum_rows, activation, activation_gradient;
    vitrail_task gated_activation, gated_activation_gradient, dropout;
    vitrail_task half_to_float, float_to_half, brain_to_float, float_to_brain;
    vitrail_task blocks_to_float, float_to_int8, float_to_int4;
    vitrail_task layer_norm, layer_norm_gradient, rms_norm, rms_norm_gradient;
    vitrail_task normalize_rows, normalize_rows_gradient;
    vitrail_task gather_rows, scatter_rows, mean_rows, mean_rows_gradient, patches, patches_gradient, rotate;
    vitrail_task attention, attention_gradient, attention_gradient_combine, attention_decode, attention_combine;
    vitrail_task softmax_cross_entropy, softmax, pairwise_sigmoid_loss;
    vitrail_task sum_of_squares, adamw;
    vitrail_task low_rank, low_rank_gradient, widen_codes;
} vitrail_kernel_table;

/// The loops for the processor at hand, within `vitrail_cpu_limit`.
const vitrail_kernel_table *vitrail_kernels(void);

#define VITRAIL_KERNEL_TABLE                                                                                           \
    {                                                                                                                  \
        .fill = fill_task, .add = add_task, .scale = scale_task, .multiply = multiply_task,                            \
        .scale_columns = scale_columns_task, .sum_rows = sum_rows_task, .activation = activation_task,                 \
        .activation_gradient = activation_gradient_task, .gated_activation = gated_activation_task,                    \
        .gated_activation_gradient = gated_activation_gradient_task, .dropout = dropout_task,                          \
        .half_to_float = half_to_float_task, .float_to_half = float_to_half_task,                                      \
        .brain_to_float = brain_to_float_task, .float_to_brain = float_to_brain_task,                                  \
        .blocks_to_float = blocks_to_float_task, .float_to_int8 = float_to_int8_task,                                  \
        .float_to_int4 = float_to_int4_task, .layer_norm = layer_norm_task,                                            \
        .layer_norm_gradient = layer_norm_gradient_task, .rms_norm = rms_norm_task,                                    \
        .rms_norm_gradient = rms_norm_gradient_task, .normalize_rows = normalize_rows_task,                            \
        .normalize_rows_gradient = normalize_rows_gradient_task, .gather_rows = gather_rows_task,                      \
        .scatter_rows = scatter_rows_task, .mean_rows = mean_rows_task,                                                \
        .mean_rows_gradient = mean_rows_gradient_task, .patches = patches_task,                                        \
        .patches_gradient = patches_gradient_task, .rotate = rotate_task, .attention = attention_task,                 \
        .attention_gradient = attention_gradient_task,                                                                 \
        .attention_gradient_combine = attention_gradient_combine_task, .attention_decode = attention_decode_task,                      \
        .attention_combine = attention_combine_task, .softmax_cross_entropy = softmax_cross_entropy_task,              \
        .softmax = softmax_task, .pairwise_sigmoid_loss = pairwise_sigmoid_loss_task,                                  \
        .sum_of_squares = sum_of_squares_task, .adamw = adamw_task, .low_rank = low_rank_task,                         \
        .low_rank_gradient = low_rank_gradient_task, .widen_codes = widen_codes_task,                                  \
    }

#endif
