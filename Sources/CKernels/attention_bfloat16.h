// Attention with factors of bfloat16, on AMX tiles or by AVX-512's dot products of pairs; not part of the module.
#ifndef ATTENTION_BFLOAT16_H
#define ATTENTION_BFLOAT16_H

#include "kernel_table.h"
#include "product_internal.h"

/// Rows of queries that a run of work is counted in: forward, and in the gradient.
enum { ATTENTION_BFLOAT16_ROWS = 32, ATTENTION_BFLOAT16_GRADIENT_ROWS = 128 };

typedef struct {
    /// As `attention` and `attention_gradient` of the kernel table, factors rounded to bfloat16.
    vitrail_task forward, gradient;
    /// Bytes of scratch that a thread needs for segments of at most `keys` keys.
    size_t (*scratch)(const vitrail_attention_layout *layout, ptrdiff_t keys, bool gradient);
    /// Whether the forward pass counts runs of the rows of all query heads that share keys, query by query.
    bool heads_together;
} attention_bfloat16_kernels;

#if PRODUCT_X86
extern const attention_bfloat16_kernels attention_bfloat16_amx;
extern const attention_bfloat16_kernels attention_bfloat16_avx512;
#endif

#endif
