// How weights in 8 and 4 bits lie in memory, as vitrail_matvec.h draws it; not part of the module.
#ifndef QUANTIZED_WEIGHTS_H
#define QUANTIZED_WEIGHTS_H

#include "blocks.h"
#include "matvec_internal.h"

static inline int64_t blocks_of(vitrail_weight_format format, int64_t k) { return divide_up(k, terms_of(format)); }

/// Codes of a block of a group's sixteen rows.
static inline size_t block_bytes(vitrail_weight_format format) { return QUANT_ROWS * (size_t)code_bytes_of(format); }

/// A group's scales, up to its codes. Not filled up to whole cache lines: a group has the bytes of its rows in files, and takes their place.
static inline size_t scales_bytes(int64_t blocks) { return (size_t)blocks * QUANT_ROWS * sizeof(uint16_t); }

static inline size_t group_bytes(vitrail_weight_format format, int64_t k) {
    const int64_t blocks = blocks_of(format, k);
    return scales_bytes(blocks) + (size_t)blocks * block_bytes(format);
}

/// What is added to codes to store them without sign.
static inline int offset_of(vitrail_weight_format format) { return format == VITRAIL_WEIGHTS_INT4 ? 8 : 128; }

#endif
