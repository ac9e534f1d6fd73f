// Losses over rows. The loops are in losses_tasks.h.
#include "kernel_table.h"

static void run(vitrail_pool *pool, vitrail_task task, loss_args *args) {
    ptrdiff_t grain = VITRAIL_GRAIN / 8 / (args->logits.columns + 1) + 1;
    if (args->logits.rows > 0) vitrail_pool_run_dynamic(pool, task, args, vitrail_pieces(pool, args->logits.rows, grain));
}

void vitrail_softmax_cross_entropy(
    vitrail_pool *pool, vitrail_matrix logits, const int32_t *labels, float *losses, const float *gradient_scale) {
    loss_args args = {.logits = logits, .labels = labels, .losses = losses, .gradient_scale = gradient_scale};
    run(pool, vitrail_kernels()->softmax_cross_entropy, &args);
}

void vitrail_softmax(vitrail_pool *pool, vitrail_matrix logits) {
    loss_args args = {.logits = logits};
    run(pool, vitrail_kernels()->softmax, &args);
}

void vitrail_pairwise_sigmoid_loss(
    vitrail_pool *pool, vitrail_matrix similarities, vitrail_matrix targets, float temperature, float bias, float *losses) {
    loss_args args = {
        .logits = similarities, .targets = targets, .losses = losses, .temperature = temperature, .bias = bias};
    run(pool, vitrail_kernels()->pairwise_sigmoid_loss, &args);
}
