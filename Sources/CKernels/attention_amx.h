// Attention on AMX tiles, see attention_amx.c; not part of the module.
#ifndef ATTENTION_AMX_H
#define ATTENTION_AMX_H

#include "kernel_table.h"
#include "product_internal.h"

/// Queries of one head that a run of work is counted in: forward, and in the gradient.
enum { ATTENTION_AMX_ROWS = 32, ATTENTION_AMX_GRADIENT_ROWS = 128 };

#if PRODUCT_X86
/// Bytes of scratch that a thread needs for segments of at most `keys` keys.
size_t attention_amx_scratch(const vitrail_attention_layout *layout, ptrdiff_t keys, bool gradient);
/// As `attention` and `attention_gradient` of the kernel table, factors rounded to bfloat16.
void attention_amx_task(void *context, int part, int parts);
void attention_amx_gradient_task(void *context, int part, int parts);
#endif

#endif
