// Low-rank products on AMX tiles, see low_rank_amx.c, and what low_rank.c shares with it; not part of the module.
#ifndef LOW_RANK_AMX_H
#define LOW_RANK_AMX_H

#include "kernel_table.h"
#include "product_internal.h"

/// Whether this processor has the tiles.
static inline bool low_rank_on_tiles(void) { return PRODUCT_X86 && vitrail_cpu() >= VITRAIL_CPU_AMX; }

/// As `vitrail_low_rank` and `vitrail_low_rank_gradient`, factors rounded to bfloat16.
void low_rank_amx(vitrail_pool *pool, low_rank_args *args, int parts);
void low_rank_amx_gradient(vitrail_pool *pool, low_rank_args *args, int parts, bool wants_a, bool wants_b);

/// The first of `parts` arrays of `count` becomes the sum of all, in their order.
void low_rank_add_parts(float *partials, int parts, ptrdiff_t count);
/// B's gradient, scale · sumsᵀ for sums [rank, outputs] with rows `stride` apart.
void low_rank_store_b(const vitrail_low_rank_product *p, const float *sums, ptrdiff_t stride);

#endif
