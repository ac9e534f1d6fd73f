// Packed bfloat16 operands, and the kernels that multiply them; not part of the module.
//
// A lies in groups of `rows` rows: [group][terms / 32][rows][32], B in panels of 32 columns:
// [panel][terms / 2][32][2], so that a 32-bit lane holds two neighbouring terms. Terms beyond k, rows beyond m and
// columns beyond n are zeros.
//
// A float32 product can go the same way: between two visits to C each row of A and column of B is a power of two times
// integers of 24 bits, and those are three slices of eight bits. Of the nine products of slices the six that reach
// float32's precision are taken, and added up without rounding (the error-free transformation of Ozaki, Ogita, Oishi and
// Rump, 2012, on integer units as in Ootomo, Ozaki and Yokota, "DGEMM on integer matrix multiplication unit", 2024). AMX
// multiplies bytes 32 times as fast as AVX-512 multiplies float32. A number's error is 2^-23 of the greatest of up to
// 320 that share its scale, as it is when float32 sums are added to the greatest of them. The slices of a block of 64
// terms lie behind each other, the scales of a visit behind its blocks. What is not finite spoils its row or column as
// ever, but as NaN.
#ifndef PRODUCT_BFLOAT16_H
#define PRODUCT_BFLOAT16_H

#include "product_units.h"

enum { BLOCK_TERMS = 32, PANEL_COLUMNS = 32, SLICES = 3, SLICE_TERMS = 64 };

/// A block of C: the rows of one group or some, and one panel's columns.
typedef struct {
    const uint16_t *a;        // first group; each next follows `a_group` elements later
    ptrdiff_t a_group;
    ptrdiff_t a_stride;       // bytes from a row of a block of terms to the next; 64 when packed
    ptrdiff_t a_block;        // elements from a block of terms to the next
    const uint16_t *b;        // packed
    int64_t blocks;           // of terms
    float *c;
    ptrdiff_t ldc;
    const float *bias;        // for these columns, or NULL
    float alpha;
    const float *from;        // what is added to the sums, C itself to accumulate, or NULL
    ptrdiff_t from_stride;
    int rows, columns;        // of C
    const char *ahead, *ahead_second;  // what is read soon from farther away; a kernel may ask for it,
    ptrdiff_t ahead_step;     // so many bytes of both a block of terms; by columns, bytes from a term of `ahead` to the next; 0: nothing
    ptrdiff_t ahead_bytes;    // of each term, by columns
    bool asks_for_rows;       // each group's successor comes from farther away as well
    bool activates, narrow;   // C = activation(...); C in bfloat16, rows `ldc` of its elements apart
    vitrail_activation_kind activation;
} bfloat16_tile;

typedef struct {
    int rows;                 // in a group
    int groups;               // of C's rows that the kernel takes at once: 2, or any number up to this
    int parts;                // 1: operands are rounded to bfloat16; SLICES: to integers in slices
    int terms;                // in a block: 32 of bfloat16, 64 of bytes
    int depth;                // terms between visits to C, a multiple of a block's
    int scales;               // elements that hold a row's scale, behind its group's blocks of a visit
    bool reads_rows;          // of bfloat16 where they lie: A need not be packed
    int apart;                // but for rows a multiple of so many bytes apart, which share a few lines of the first cache; or 0
    void (*start)(void), (*stop)(void);  // around a thread's tiles; may be NULL
    void (*multiply)(const bfloat16_tile *tile);
    /// The same with A as `interleave` leaves it, or NULL.
    void (*multiply_columns)(const bfloat16_tile *tile);
    /// Packs `blocks` blocks of one group of A, of which `terms` terms and `rows` rows exist; with scales, a whole visit's.
    void (*pack_a)(uint16_t *out, const void *a, int64_t lda, bool transposed, vitrail_element type, int rows,
                   int64_t terms, int64_t blocks);
    /// Packs one panel of B likewise.
    void (*pack_b)(uint16_t *out, const void *b, int64_t ldb, bool transposed, vitrail_element type, int columns,
                   int64_t terms, int64_t blocks);
    /// Packs `columns` columns, whose terms are rows `stride` elements apart, as [terms / 2][width][2]; up to 32 bytes behind the
    /// last pair are written too. NULL without `multiply_columns`.
    void (*interleave)(uint16_t *out, int width, const void *from, int64_t stride, vitrail_element type, int columns,
                       int64_t terms, int64_t blocks);
} bfloat16_kernels;

#if PRODUCT_X86
extern const bfloat16_kernels bfloat16_kernels_avx512;
extern const bfloat16_kernels bfloat16_kernels_amx;
extern const bfloat16_kernels slices_kernels_amx;
#endif

// In packers: the compiler specialises each combination of layout and type.
#define SPECIALISE_PACKER(call)                                \
    if (transposed) {                                   \
        if (type == VITRAIL_BFLOAT16) {                 \
            call(true, VITRAIL_BFLOAT16);               \
        } else {                                        \
            call(true, VITRAIL_FLOAT32);                \
        }                                               \
    } else if (type == VITRAIL_BFLOAT16) {              \
        call(false, VITRAIL_BFLOAT16);                  \
    } else {                                            \
        call(false, VITRAIL_FLOAT32);                   \
    }

/// C = activation(alpha * sums + from + bias) for rows of 32 sums; `first` is their first row in the tile.
void bfloat16_store_sums(const bfloat16_tile *tile, const float *sums, int first, int rows);

/// A product under way: how it is cut into units of work, and where its operands are packed.
typedef struct {
    const vitrail_product_args *args;
    const bfloat16_kernels *kernels;
    int64_t blocks, visits;                  // of terms
    int64_t groups, panels;
    product_units units;
    bool direct_a;                           // A is read where it lies
    uint16_t *packing_a, *packing_b;         // where operands are packed whole, or NULL
    const uint16_t *shared_a, *shared_b;     // where they are read, NULL when units pack them
    char *scratch;
    size_t scratch_bytes, scratch_a_bytes;
} bfloat16_product;

/// Elements of a packed block of terms of a group (panel).
static inline int64_t group_block(const bfloat16_product *product) {
    return (int64_t)product->kernels->rows * product->kernels->parts * BLOCK_TERMS;
}

static inline int64_t panel_block(const bfloat16_product *product) {
    return (int64_t)PANEL_COLUMNS * product->kernels->parts * BLOCK_TERMS;
}

/// Elements of a packed group (panel) of so many blocks and visits.
static inline int64_t group_size(const bfloat16_product *product, int64_t blocks, int64_t visits) {
    return blocks * group_block(product) + visits * product->kernels->rows * product->kernels->scales;
}

static inline int64_t panel_size(const bfloat16_product *product, int64_t blocks, int64_t visits) {
    return blocks * panel_block(product) + visits * PANEL_COLUMNS * product->kernels->scales;
}

/// The first block of a visit to C.
static inline int64_t visit_start(const bfloat16_product *product, int64_t visit) {
    return product->blocks * visit / product->visits;
}

/// Where a unit reads its operands: packed by this unit, packed before for all, or A as it lies.
typedef struct {
    const uint16_t *a, *b;           // of the block's first group and panel
    ptrdiff_t a_group, b_panel;      // elements from one to the next
    ptrdiff_t a_stride, a_block;     // bytes between a group's rows, elements between its blocks of terms
    const uint16_t *a_edge;          // packed group of fewer rows, where A is read as it lies
} bfloat16_operands;

/// Packs `count` blocks of terms from `term` of `terms` on, of the panel that begins with column `column` of `columns`, from codes
/// whose rows are `width` weights: columns of the product where `transposed`, terms otherwise.
void bfloat16_pack_codes(uint16_t *out, const vitrail_coded_rows *from, int64_t width, bool transposed, int64_t column,
                         int64_t columns, int64_t term, int64_t terms, int64_t count);
/// Packs what the product shares: the first parts take A, the others B.
void bfloat16_pack_part(void *product, int part, int parts);
/// The operands of one visit to a block of C; packs what is not shared into the thread's scratch.
bfloat16_operands bfloat16_operands_at(const bfloat16_product *product, const product_block *block, int64_t visit);

/// The kernels for this processor, or NULL where float32 kernels on rounded values are the better choice.
const bfloat16_kernels *bfloat16_kernels_in_use(void);

/// The kernels that take a float32 product of this shape in slices, or NULL where float32 kernels are the faster.
const bfloat16_kernels *slices_kernels_for(const vitrail_product_args *args);

/// A product that is ready to run: what is packed for all, if anything, and what multiplies when all of that is done.
typedef struct {
    void *context;                           // in memory of the pool, which is given back behind the run
    vitrail_task pack, multiply;
    int pack_parts, parts;
} product_work;

/// Cuts a product into parts. False when memory is short.
bool product_bfloat16_begin(vitrail_pool *pool, const vitrail_product_args *args, const bfloat16_kernels *kernels,
                            product_work *work);
/// The same for products of which `product_bfloat16_by_columns`. Where other products' parts follow in the same run, it is not the last.
bool product_bfloat16_begin_columns(vitrail_pool *pool, const vitrail_product_args *args, const bfloat16_kernels *kernels,
                                    bool is_last, product_work *work);
/// Whether both operands lie with terms apart, and kernels read them so.
bool product_bfloat16_by_columns(const vitrail_product_args *args, const bfloat16_kernels *kernels);

bool product_native_bfloat16(vitrail_pool *pool, const vitrail_product_args *args, const bfloat16_kernels *kernels);
/// Products that do not depend on each other, as one run.
bool product_bfloat16_together(vitrail_pool *pool, const vitrail_product_args *args, int count, const bfloat16_kernels *kernels);
/// How often a product comes by its C.
int64_t product_bfloat16_visits(const vitrail_product_args *args, const bfloat16_kernels *kernels);

#endif
