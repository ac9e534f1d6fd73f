// A bfloat16 product: operands are rounded and packed once, by all threads, and blocks of C follow from packed
// operands only. An operand that only one unit of work reads is packed by that unit, a block of terms at a time.

#include "product_bfloat16.h"

enum {
    UNIT_ROWS = 128,
    UNIT_COLUMNS = 256,
    SPLIT_ROWS = 64,                // the least shape whose float32 product is taken in parts
    SPLIT_TERMS = 48,
    LOCAL_EXTENT = 128,             // up to so many rows (columns), the other operand is packed by its unit
    SHARED_BYTES = 32 << 20,
};

typedef struct {
    const vitrail_product_args *args;
    const bfloat16_kernels *kernels;
    int64_t blocks;                          // of 32 terms
    int64_t groups, panels;
    int64_t row_units, column_units;
    uint16_t *packing_a, *packing_b;         // where operands are packed whole, or NULL
    const uint16_t *shared_a, *shared_b;     // where they are read, NULL when units pack them
    char *scratch;
    size_t scratch_bytes, scratch_a_bytes;
} bfloat16_product;

const bfloat16_kernels *bfloat16_kernels_in_use(void) {
#if PRODUCT_X86
    const vitrail_cpu_level level = vitrail_cpu();
    if (level >= VITRAIL_CPU_AMX) return &bfloat16_kernels_amx;
    if (level >= VITRAIL_CPU_AVX512_BF16) return &bfloat16_kernels_avx512;
#endif
    return NULL;
}

const bfloat16_kernels *split_kernels_for(const vitrail_product_args *args) {
#if PRODUCT_X86
    // Packing costs an element of A and B what splitting saves in about 40 products of it (measured).
    const bool large = args->m >= SPLIT_ROWS && args->k >= SPLIT_TERMS
                       && args->m * args->n >= 40 * (args->m + args->n);
    if (large && vitrail_cpu() >= VITRAIL_CPU_AMX) return &split_kernels_amx;
#endif
    (void)args;
    return NULL;
}

/// Elements of a packed block of terms of a group (panel).
static int64_t group_block(const bfloat16_product *product) {
    return (int64_t)product->kernels->rows * product->kernels->parts * BLOCK_TERMS;
}

static int64_t panel_block(const bfloat16_product *product) {
    return (int64_t)PANEL_COLUMNS * product->kernels->parts * BLOCK_TERMS;
}

static const void *element_at(const void *data, int64_t index, vitrail_element type) {
    return type == VITRAIL_BFLOAT16 ? (const void *)((const uint16_t *)data + index)
                                    : (const void *)((const float *)data + index);
}

/// Packs blocks [start, start + count) of a group's terms.
static void pack_group(const bfloat16_product *product, uint16_t *out, int64_t group, int64_t start, int64_t count) {
    const vitrail_product_args *args = product->args;
    const int64_t row = group * product->kernels->rows, term = start * BLOCK_TERMS;
    const int64_t index = args->transpose_a ? term * args->lda + row : row * args->lda + term;
    product->kernels->pack_a(out, element_at(args->a, index, args->a_type), args->lda, args->transpose_a,
                             args->a_type, (int)least(product->kernels->rows, args->m - row), args->k - term, count);
}

static void pack_panel(const bfloat16_product *product, uint16_t *out, int64_t panel, int64_t start, int64_t count) {
    const vitrail_product_args *args = product->args;
    const int64_t column = panel * PANEL_COLUMNS, term = start * BLOCK_TERMS;
    const int64_t index = args->transpose_b ? column * args->ldb + term : term * args->ldb + column;
    product->kernels->pack_b(out, element_at(args->b, index, args->b_type), args->ldb, args->transpose_b,
                             args->b_type, (int)least(PANEL_COLUMNS, args->n - column), args->k - term, count);
}

/// An operand whose terms lie apart is packed a block of terms at a time, across its rows (columns): each of the
/// block's 32 lines is then read from end to end.
static void pack_a_part(void *context, int part, int parts) {
    const bfloat16_product *product = context;
    const int64_t block_size = group_block(product), size = product->blocks * block_size;
    const int64_t count = product->args->transpose_a ? product->blocks : product->groups;
    for (int64_t i = count * part / parts; i < count * (part + 1) / parts; i++) {
        if (!product->args->transpose_a) {
            pack_group(product, product->packing_a + i * size, i, 0, product->blocks);
            continue;
        }
        for (int64_t group = 0; group < product->groups; group++) {
            pack_group(product, product->packing_a + group * size + i * block_size, group, i, 1);
        }
    }
}

static void pack_b_part(void *context, int part, int parts) {
    const bfloat16_product *product = context;
    const int64_t block_size = panel_block(product), size = product->blocks * block_size;
    const int64_t count = product->args->transpose_b ? product->panels : product->blocks;
    for (int64_t i = count * part / parts; i < count * (part + 1) / parts; i++) {
        if (product->args->transpose_b) {
            pack_panel(product, product->packing_b + i * size, i, 0, product->blocks);
            continue;
        }
        for (int64_t panel = 0; panel < product->panels; panel++) {
            pack_panel(product, product->packing_b + panel * size + i * block_size, panel, i, 1);
        }
    }
}

/// The first parts pack A, the others B.
static void pack_part(void *context, int part, int parts) {
    const bfloat16_product *product = context;
    const int parts_a = !product->packing_a ? 0 : !product->packing_b ? parts : parts / 2;
    if (part < parts_a) {
        pack_a_part(context, part, parts_a);
    } else {
        pack_b_part(context, part - parts_a, parts - parts_a);
    }
}

static void multiply_part(void *context, int part, int parts) {
    (void)parts;
    const bfloat16_product *product = context;
    const vitrail_product_args *args = product->args;
    const bfloat16_kernels *kernels = product->kernels;
    const int64_t row_unit = part % product->row_units, column_unit = part / product->row_units;
    const int64_t first_group = product->groups * row_unit / product->row_units;
    const int64_t last_group = product->groups * (row_unit + 1) / product->row_units;
    const int64_t first_panel = product->panels * column_unit / product->column_units;
    const int64_t last_panel = product->panels * (column_unit + 1) / product->column_units;
    const int64_t group_size = group_block(product), panel_size = panel_block(product);
    char *scratch = product->scratch + (size_t)vitrail_pool_thread() * product->scratch_bytes;
    uint16_t *local_a = (uint16_t *)scratch, *local_b = (uint16_t *)(scratch + product->scratch_a_bytes);

    if (kernels->start) kernels->start();
    const int64_t visits = product_bfloat16_visits(args, kernels);
    const bool narrow = args->c_type == VITRAIL_BFLOAT16;
    for (int64_t visit = 0; visit < visits; visit++) {
        const int64_t start = product->blocks * visit / visits;
        const int64_t count = product->blocks * (visit + 1) / visits - start;
        if (!product->shared_a) {
            for (int64_t group = first_group; group < last_group; group++) {
                pack_group(product, local_a + (group - first_group) * count * group_size, group, start, count);
            }
        }
        for (int64_t panel = first_panel; panel < last_panel; panel++) {
            const int64_t column = panel * PANEL_COLUMNS;
            bfloat16_tile tile = {
                .blocks = count,
                .ldc = args->ldc,
                .bias = args->bias && visit == visits - 1 ? args->bias + column : NULL,
                .alpha = args->alpha,
                .columns = (int)least(PANEL_COLUMNS, args->n - column),
                .activates = args->activates,
                .narrow = narrow,
                .activation = args->activation,
            };
            const bool accumulate = args->accumulate || visit > 0;
            if (product->shared_b) {
                tile.b = product->shared_b + (panel * product->blocks + start) * panel_size;
            } else {
                pack_panel(product, local_b, panel, start, count);
                tile.b = local_b;
            }
            // A panel in three parts is asked for while the one before is multiplied: 6 % (nothing with one part).
            const int64_t pairs = divide_up(last_group - first_group, 2);
            if (product->shared_b && panel + 1 < last_panel && kernels->parts > 1) {
                tile.ahead = (const char *)(tile.b + product->blocks * panel_size);
                tile.ahead_step = divide_up(panel_size * 2, pairs * 64) * 64;
            }
            // Two groups at once when both are whole: how a group's rows are added up then depends on the group alone,
            // and not on where the cut into units lies.
            for (int64_t group = first_group, taken; group < last_group; group += taken) {
                const int64_t row = group * kernels->rows;
                taken = last_group - group >= 2 && row + 2 * kernels->rows <= args->m ? 2 : 1;
                tile.rows = (int)least(args->m - row, taken * kernels->rows);
                const int64_t at = row * args->ldc + column;
                tile.c = narrow ? (float *)((uint16_t *)args->c + at) : args->c + at;
                tile.from = accumulate ? tile.c : args->addend ? args->addend + row * args->ld_addend + column : NULL;
                tile.from_stride = accumulate ? args->ldc : args->ld_addend;
                if (product->shared_a) {
                    tile.a = product->shared_a + (group * product->blocks + start) * group_size;
                    tile.a_group = product->blocks * group_size;
                } else {
                    tile.a = local_a + (group - first_group) * count * group_size;
                    tile.a_group = count * group_size;
                }
                kernels->multiply(&tile);
                tile.ahead += tile.ahead_step * count;
            }
        }
    }
    if (kernels->stop) kernels->stop();
}

static void cut(bfloat16_product *product, int threads, bool share_a, bool share_b) {
    const int rows = product->kernels->rows;
    // Panels in three parts come from farther away, and more rows have to repay them.
    const int unit_rows = product->kernels->parts == 1 ? UNIT_ROWS : 2 * UNIT_ROWS;
    product->row_units = divide_up(product->groups, unit_rows / rows);
    product->column_units = divide_up(product->panels, UNIT_COLUMNS / PANEL_COLUMNS);
    if (!share_b) product->row_units = 1;
    if (!share_a) product->column_units = 1;
    if (threads == 1) return;
    const int64_t wanted = 4 * (int64_t)threads;
    while (product->row_units * product->column_units < wanted) {
        const int64_t tall = share_b ? product->groups / product->row_units * rows : 0;
        const int64_t wide = share_a ? product->panels / product->column_units * PANEL_COLUMNS : 0;
        if (wide >= 2 * PANEL_COLUMNS && wide >= tall) {
            product->column_units = least(product->column_units * 2, product->panels);
        } else if (tall >= 4 * rows) {
            product->row_units = least(product->row_units * 2, product->groups);
        } else {
            break;
        }
    }
}

static bfloat16_product describe(const vitrail_product_args *args, const bfloat16_kernels *kernels) {
    return (bfloat16_product){
        .args = args,
        .kernels = kernels,
        .blocks = divide_up(args->k, BLOCK_TERMS),
        .groups = divide_up(args->m, kernels->rows),
        .panels = divide_up(args->n, PANEL_COLUMNS),
    };
}

int64_t product_bfloat16_visits(const vitrail_product_args *args, const bfloat16_kernels *kernels) {
    return divide_up(divide_up(args->k, BLOCK_TERMS), kernels->depth / BLOCK_TERMS);
}

size_t product_bfloat16_packed_bytes(const vitrail_product_args *args, const bfloat16_kernels *kernels) {
    const bfloat16_product product = describe(args, kernels);
    return (size_t)(product.panels * product.blocks * panel_block(&product)) * sizeof(uint16_t);
}

void product_bfloat16_pack(vitrail_pool *pool, const vitrail_product_args *args, const bfloat16_kernels *kernels,
                           uint16_t *out) {
    bfloat16_product product = describe(args, kernels);
    product.packing_b = out;
    vitrail_pool_run_dynamic(pool, pack_part, &product, 8 * vitrail_pool_threads(pool));
}

bool product_native_bfloat16(vitrail_pool *pool, const vitrail_product_args *args, const bfloat16_kernels *kernels,
                             const uint16_t *packed) {
    const int threads = vitrail_pool_threads(pool);
    bfloat16_product product = describe(args, kernels);
    const size_t group_bytes = (size_t)group_block(&product) * sizeof(uint16_t);
    const size_t panel_bytes = (size_t)panel_block(&product) * sizeof(uint16_t);
    const size_t a_bytes = (size_t)(product.groups * product.blocks) * group_bytes;
    const size_t b_bytes = (size_t)(product.panels * product.blocks) * panel_bytes;
    bool share_a = true, share_b = true;
    if (!packed && (args->m <= LOCAL_EXTENT || (b_bytes > SHARED_BYTES && a_bytes <= b_bytes))) {
        share_b = false;
    } else if (args->n <= LOCAL_EXTENT || a_bytes > SHARED_BYTES) {
        share_a = false;
    }
    cut(&product, threads, share_a, share_b);

    const size_t shared_a_bytes = share_a ? (a_bytes + 63) & ~(size_t)63 : 0;
    const size_t shared_b_bytes = share_b && !packed ? (b_bytes + 63) & ~(size_t)63 : 0;
    const int64_t unit_groups = divide_up(product.groups, product.row_units);
    const int64_t depth = least(product.blocks, kernels->depth / BLOCK_TERMS);
    product.scratch_a_bytes = share_a ? 0 : (size_t)(unit_groups * depth) * group_bytes;
    product.scratch_bytes = product.scratch_a_bytes + (share_b ? 0 : (size_t)depth * panel_bytes);
    product.scratch_bytes = (product.scratch_bytes + 4095) & ~(size_t)4095;
    char *memory = vitrail_pool_borrow(pool, shared_a_bytes + shared_b_bytes + product.scratch_bytes * (size_t)threads);
    if (!memory) return false;
    product.shared_a = product.packing_a = share_a ? (uint16_t *)memory : NULL;
    product.shared_b = product.packing_b = share_b && !packed ? (uint16_t *)(memory + shared_a_bytes) : NULL;
    if (packed) product.shared_b = packed;
    product.scratch = memory + shared_a_bytes + shared_b_bytes;
    if (product.packing_a || product.packing_b) {
        vitrail_pool_run_dynamic(pool, pack_part, &product, 8 * threads);
    }
    vitrail_pool_run_dynamic(pool, multiply_part, &product, (int)(product.row_units * product.column_units));
    vitrail_pool_return(pool, memory);
    return true;
}
