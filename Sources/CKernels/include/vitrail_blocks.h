// Blocks of quantised weights as they lie in files: a float16 scale, then the codes of neighbouring terms of a row.
#ifndef VITRAIL_BLOCKS_H
#define VITRAIL_BLOCKS_H

enum {
    VITRAIL_INT8_TERMS = 64,                          ///< weights that share a scale: each more costs products of bytes their rate
    VITRAIL_INT4_TERMS = 32,                          ///< 64 would round them more than a scale's bits are worth
    VITRAIL_INT8_BYTES = 2 + VITRAIL_INT8_TERMS,      ///< of a block: signed codes
    VITRAIL_INT4_BYTES = 2 + VITRAIL_INT4_TERMS / 2,  ///< of a block: GGML's Q4_0
};

#endif
