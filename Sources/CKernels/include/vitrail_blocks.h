// Blocks of quantised weights as they lie in files: a float16 scale, then the codes of neighbouring terms of a row.
#ifndef VITRAIL_BLOCKS_H
#define VITRAIL_BLOCKS_H

enum {
    VITRAIL_INT4_TERMS = 32,        ///< weights of 4 bits that share a scale (GGML's Q4_0): 64 would round them more than a scale's bits are worth
    VITRAIL_INT8_STEP_TERMS = 64,   ///< what the lengths of blocks of 8 bits are multiples of: each block costs products of bytes their rate
    VITRAIL_INT8_MOST_TERMS = 256,  ///< the longest: its sums of products are whole numbers that float32 still holds
};

#endif
