// What the forms of quantised weights are made of; not part of the module.
#ifndef BLOCKS_H
#define BLOCKS_H

#include "vitrail_kernels.h"
#include "vitrail_matvec.h"

static inline bool is_in_blocks(vitrail_dtype dtype) { return dtype >= VITRAIL_DTYPE_INT4_BLOCKS; }

static inline vitrail_weight_format format_of(vitrail_dtype dtype) {
    return VITRAIL_WEIGHTS_INT4 + (dtype - VITRAIL_DTYPE_INT4_BLOCKS);
}

/// Terms of a row that share a scale.
static inline int terms_of(vitrail_weight_format format) {
    if (format == VITRAIL_WEIGHTS_INT4) return VITRAIL_INT4_TERMS;
    return VITRAIL_INT8_STEP_TERMS * (int)(format - VITRAIL_WEIGHTS_INT8_64 + 1);
}

/// Codes of a row's block.
static inline int code_bytes_of(vitrail_weight_format format) { return format == VITRAIL_WEIGHTS_INT4 ? VITRAIL_INT4_TERMS / 2 : terms_of(format); }

/// `count` terms in files, the last block filled up.
static inline ptrdiff_t file_bytes_of(vitrail_weight_format format, ptrdiff_t count) {
    const ptrdiff_t terms = terms_of(format);
    return (count + terms - 1) / terms * (ptrdiff_t)(sizeof(uint16_t) + (size_t)code_bytes_of(format));
}

#endif
