// Products of any number of rows of x with quantised weights, in integers; not part of the module.
//
// Rows of x lie in panels of PANEL_ROWS rows, rounded to 8 bits a block of the weights' terms:
//
//     panel:  { first float [rows] }  [blocks] { values int8 [quads][rows][4 terms], exponents int32 [rows], offsets int32 [rows] }
//
// where sums begin with `first`, zero or not a number; an exponent is what the bits of the weights' scales are moved by, and an offset what
// the weights' offset adds to a block's sum, negative. Exponents count from the least scale, so that none is negative: a scale of zero
// then stays finite and its block, whose codes are all zero, adds nothing; PANEL_UNIT takes that back. Rows that do not exist are not read.
#ifndef QUANTIZED_PRODUCT_H
#define QUANTIZED_PRODUCT_H

#include "matvec_internal.h"

#if PRODUCT_X86

enum {
    PANEL_ROWS = 6,
    PAIR_ROWS = 2 * QUANT_ROWS,                     // of weights that a tile takes at once
    PANEL_HEADER = 64,                              // blocks begin on cache lines
};

/// Bytes of a block of so many terms, and from its start to exponents and offsets.
static inline int64_t panel_exponents_at(int terms) { return PANEL_ROWS * terms; }
static inline int64_t panel_offsets_at(int terms) { return panel_exponents_at(terms) + PANEL_ROWS * 4; }
static inline int64_t panel_block_bytes(int terms) { return panel_offsets_at(terms) + PANEL_ROWS * 4; }

/// What sums of a panel count in: the least scale of a block.
#define PANEL_UNIT 0x1p-80f
_Static_assert(BLOCK_EXPONENT_ZERO - BLOCK_EXPONENT_LEAST == 80, "the least scale");

/// A block of C: a panel's rows and the weights of two groups.
typedef struct {
    const uint8_t *groups[2];    // the same one twice where there is no second
    size_t scale_bytes;          // from a group's start to its codes
    int64_t blocks;              // of `terms` terms
    int terms;
    const char *panel;
    int rows;                    // of the panel
    const char *ahead;           // what is read soon from farther away
    int ahead_lines;             // that are asked for a block of terms
    char *c;                     // float32, or bfloat16 where it is narrow
    const float *bias, *addend;  // of these columns, or NULL
    size_t c_row, addend_row;    // bytes between rows
    size_t c_last;               // bytes to a row's last
    bool narrow;
    bool is_whole;               // sums, bias and addend go to C, all columns of it; otherwise the sums alone to `out`
} quantized_tile;

/// What a processor multiplies and stores by.
typedef struct {
    /// out[row * PAIR_ROWS + weight] = sums, or C as `store` would have it; sums are bit for bit those of `quantized_kernel`.
    void (*int8)(const quantized_tile *tile, float *out);
    void (*int4)(const quantized_tile *tile, float *out);
    /// C = activation(alpha * sums + ... + bias) for rows [row, row + rows) and columns [column, column + columns) of C.
    void (*store)(const vitrail_product_args *args, int64_t row, int rows, int64_t column, int columns, const float *sums);
} quantized_tiles;

extern const quantized_tiles quantized_tiles_vnni, quantized_tiles_bfloat16;

/// Rounds `rows` rows of x (float32, or bfloat16) to a panel for weights in `format`.
void quantized_pack_panel(
    vitrail_weight_format format, const void *x, vitrail_element type, int64_t ldx, int rows, int64_t k, char *panel);

#endif

/// A product whose B is quantised, where `vitrail_products_in_integers`.
bool product_quantized(vitrail_pool *pool, const vitrail_product_args *args);

#endif
