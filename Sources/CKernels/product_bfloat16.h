// Packed bfloat16 operands, and the kernels that multiply them; not part of the module.
//
// A lies in groups of `rows` rows: [group][terms / 32][rows][32], B in panels of 32 columns:
// [panel][terms / 2][32][2], so that a 32-bit lane holds two neighbouring terms. Terms beyond k, rows beyond m and
// columns beyond n are zeros.
//
// A float32 product can go the same way: each factor is the sum of three bfloat16 numbers to its last bit, and of the
// nine products of parts the six that reach float32's precision are taken (Henry, Tang, Heinecke, "Leveraging the
// bfloat16 artificial intelligence datatype for higher-precision computations", 2019). AMX multiplies bfloat16 sixteen
// times as fast as AVX-512 multiplies float32. The three parts of a block of 32 terms lie behind each other. What is not finite
// spoils its row or column as ever, but as NaN: parts of infinity meet zeros.
#ifndef PRODUCT_BFLOAT16_H
#define PRODUCT_BFLOAT16_H

#include "product_internal.h"

enum { BLOCK_TERMS = 32, PANEL_COLUMNS = 32, SPLIT_PARTS = 3 };

/// A block of C of up to two groups' rows and one panel's columns.
typedef struct {
    const uint16_t *a;        // packed, first group; the second follows `a_group` elements later
    ptrdiff_t a_group;
    const uint16_t *b;        // packed
    int64_t blocks;           // of 32 terms
    float *c;
    ptrdiff_t ldc;
    const float *bias;        // for these columns, or NULL
    float alpha;
    const float *from;        // what is added to the sums, C itself to accumulate, or NULL
    ptrdiff_t from_stride;
    int rows, columns;        // of C, rows <= 2 groups' rows
    const char *ahead;        // what is read soon from farther away; a kernel may ask for it,
    ptrdiff_t ahead_step;     // so many bytes a block of terms; 0: nothing
    bool activates, narrow;   // C = activation(...); C in bfloat16, rows `ldc` of its elements apart
    vitrail_activation_kind activation;
} bfloat16_tile;

typedef struct {
    int rows;                 // in a group
    int parts;                // 1: operands are rounded to bfloat16; SPLIT_PARTS: they are sums of parts
    int depth;                // terms between visits to C, a multiple of 32
    void (*start)(void), (*stop)(void);  // around a thread's tiles; may be NULL
    void (*multiply)(const bfloat16_tile *tile);
    /// Packs `blocks` blocks of 32 terms of one group of A, of which `terms` terms and `rows` rows exist.
    void (*pack_a)(uint16_t *out, const void *a, int64_t lda, bool transposed, vitrail_element type, int rows,
                   int64_t terms, int64_t blocks);
    /// Packs one panel of B likewise.
    void (*pack_b)(uint16_t *out, const void *b, int64_t ldb, bool transposed, vitrail_element type, int columns,
                   int64_t terms, int64_t blocks);
} bfloat16_kernels;

#if PRODUCT_X86
extern const bfloat16_kernels bfloat16_kernels_avx512;
extern const bfloat16_kernels bfloat16_kernels_amx;
extern const bfloat16_kernels split_kernels_amx;
#endif

/// Plain twins of the packers, for edges and for tests: `group` rows in a group.
void bfloat16_pack_a_plain(uint16_t *out, int group, const void *a, int64_t lda, bool transposed,
                           vitrail_element type, int rows, int64_t terms, int64_t blocks);
void bfloat16_pack_b_plain(uint16_t *out, const void *b, int64_t ldb, bool transposed, vitrail_element type,
                           int columns, int64_t terms, int64_t blocks);

/// C = activation(alpha * sums + from + bias) for rows of 32 sums; `first` is their first row in the tile.
void bfloat16_store_sums(const bfloat16_tile *tile, const float *sums, int first, int rows);

/// The kernels for this processor, or NULL where float32 kernels on rounded values are the better choice.
const bfloat16_kernels *bfloat16_kernels_in_use(void);

/// The kernels that take a float32 product of this shape in parts, or NULL where float32 kernels are the faster.
const bfloat16_kernels *split_kernels_for(const vitrail_product_args *args);

/// `packed` is B from `product_bfloat16_pack`, or NULL.
bool product_native_bfloat16(vitrail_pool *pool, const vitrail_product_args *args, const bfloat16_kernels *kernels,
                             const uint16_t *packed);
/// How often a product comes by its C.
int64_t product_bfloat16_visits(const vitrail_product_args *args, const bfloat16_kernels *kernels);
size_t product_bfloat16_packed_bytes(const vitrail_product_args *args, const bfloat16_kernels *kernels);
void product_bfloat16_pack(vitrail_pool *pool, const vitrail_product_args *args, const bfloat16_kernels *kernels,
                           uint16_t *out);

#endif
