// How weights in 8 and 4 bits lie in memory, as vitrail_matvec.h draws it; not part of the module.
#ifndef QUANTIZED_WEIGHTS_H
#define QUANTIZED_WEIGHTS_H

#include "matvec_internal.h"

static inline int64_t blocks_of(int64_t k) { return divide_up(k, QUANT_TERMS); }

/// Codes of a block of a group's sixteen rows.
static inline size_t block_bytes(vitrail_weight_format format) {
    return QUANT_ROWS * QUANT_TERMS / (format == VITRAIL_WEIGHTS_INT4 ? 2 : 1);
}

/// A group's scales, up to its codes: whole cache lines, so that every vector of weights lies on one.
static inline size_t scales_bytes(int64_t blocks) { return ((size_t)blocks * QUANT_ROWS * sizeof(uint16_t) + 63) & ~(size_t)63; }

static inline size_t group_bytes(vitrail_weight_format format, int64_t k) {
    return scales_bytes(blocks_of(k)) + (size_t)blocks_of(k) * block_bytes(format);
}

/// What is added to codes to store them without sign.
static inline int offset_of(vitrail_weight_format format) { return format == VITRAIL_WEIGHTS_INT4 ? 8 : 128; }

#endif
