// Low-rank products by AVX-512's dot products of pairs, see low_rank_pairs.c; not part of the module.
#ifndef LOW_RANK_PAIRS_H
#define LOW_RANK_PAIRS_H

#include "kernel_table.h"
#include "product_internal.h"

/// Whether this processor has them.
static inline bool low_rank_by_pairs(void) { return PRODUCT_X86 && vitrail_cpu() >= VITRAIL_CPU_AVX512_BF16; }

/// As `vitrail_low_rank` and `vitrail_low_rank_gradient`, factors rounded to bfloat16.
void low_rank_pairs(vitrail_pool *pool, const low_rank_args *args);
void low_rank_pairs_gradient(vitrail_pool *pool, const low_rank_args *args);

#endif
