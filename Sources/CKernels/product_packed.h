// What products share of packed weights; not part of the module.
#ifndef PRODUCT_PACKED_H
#define PRODUCT_PACKED_H

#include "product_internal.h"

typedef struct packed_operand packed_operand;

/// Where B of such a product is kept packed for `kernels`, in `bytes` bytes, by a task of `parts` parts; NULL where the calling thread keeps
/// nothing of it, or there is no more room.
packed_operand *packed_operand_of(const vitrail_product_args *args, const void *kernels, size_t bytes, int parts);

/// The memory that it is packed to.
void *packed_operand_memory(const packed_operand *operand);

/// Packs what nobody has packed, and waits for what others are at.
void packed_operand_finish(packed_operand *operand, vitrail_task pack, void *context);

#endif
