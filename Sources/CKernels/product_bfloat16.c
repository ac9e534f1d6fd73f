// A bfloat16 product: operands are rounded and packed once, by all threads, and blocks of C follow from packed
// operands. An operand that only one unit of work reads is packed by that unit, a block of terms at a time, and rows of
// A that a kernel can read where they lie are not packed at all.
//
// A unit of work is a block of C whose columns' operand stays in the second-level cache; rows stream past it, two groups
// at a time. The last units are taken in pieces of their rows, so that threads end together though cores run unevenly.

#include "product_bfloat16.h"
#include "product_packed.h"

enum {
    UNIT_BYTES = 896 << 10,         // of B that a unit keeps in its core's second-level cache
    UNIT_COLUMNS = 512,             // at most
    LOCAL_BYTES = 768 << 10,        // of A that a unit packs for itself
    VISITED_ROWS = 256,             // of a unit that comes by its C more than once
    VISITED_ELEMENTS = 256 << 10,   // of its C
    LEAST_ROWS = 64,                // of a unit, where there are enough
    LEAST_LOCAL_ROWS = 128,         // that it packs for itself: all columns stream past them
    LEAST_LOCAL_COLUMNS = 96,       // likewise
    SLICED_ROWS = 64,               // the least shape whose float32 product is taken in slices
    SLICED_LEAST_TERMS = 48,
    LOCAL_EXTENT = 128,             // up to so many rows (columns), the other operand is packed by its unit
    SHARED_BYTES = 32 << 20,
    LEAST_PIECE_GROUPS = 2,
    TURN_PANELS = 3,                // of a unit that packs them when it comes to them,
    LEAST_TURN_UNITS = 2,           // of which each thread has so many
};

const bfloat16_kernels *bfloat16_kernels_in_use(void) {
#if PRODUCT_X86
    const vitrail_cpu_level level = vitrail_cpu();
    if (level >= VITRAIL_CPU_AMX) return &bfloat16_kernels_amx;
    if (level >= VITRAIL_CPU_AVX512_BF16) return &bfloat16_kernels_avx512;
#endif
    return NULL;
}

const bfloat16_kernels *slices_kernels_for(const vitrail_product_args *args) {
#if PRODUCT_X86
    // Packing costs an element of A and B what splitting saves in about 40 products of it (measured).
    const bool large = args->m >= SLICED_ROWS && args->k >= SLICED_LEAST_TERMS
                       && args->m * args->n >= 40 * (args->m + args->n);
    if (large && vitrail_cpu() >= VITRAIL_CPU_AMX) return &slices_kernels_amx;
#endif
    (void)args;
    return NULL;
}

/// A block of C over one visit's terms: all runs of groups with all panels. Two groups are taken at once when both
/// are whole: how a group's rows are added up then depends on the group alone, and not on where the cut into units lies.
/// Kernels of slices take any number, each group by itself.
static void multiply_block(const bfloat16_product *product, const product_block *block, const bfloat16_operands *operands,
                           bfloat16_tile tile, bool accumulate) {
    const vitrail_product_args *args = product->args;
    const bfloat16_kernels *kernels = product->kernels;
    const int64_t rows = kernels->rows, first_group = block->first_group, last_group = block->last_group;
    const int64_t groups = last_group - first_group, panels = block->last_panel - block->first_panel;
    const bool in_pairs = kernels->groups == 2, edge = last_group * rows > args->m;
    const int64_t runs = in_pairs ? groups / 2 + (groups % 2 != 0 || edge) : divide_up(groups, kernels->groups);
    const float *const bias = tile.bias;
    const int64_t element = sizeof(uint16_t), panel_bytes = tile.blocks * panel_block(product) * element;
    // Rows stream past panels that stay in the cache, or panels past rows.
    const bool panels_stay = !kernels->scales && panels * panel_bytes <= UNIT_BYTES + panel_bytes * 4;
    const bool rows_packed = operands->a_block == group_block(product);
    const bool rows_ahead = rows_packed || operands->a_group == tile.blocks * group_block(product);
    const ptrdiff_t row_step = divide_up(group_block(product) * element, 64 * panels) * 64;
    const ptrdiff_t panel_step = divide_up(panel_block(product) * element / 2, 64 * (in_pairs ? runs : groups)) * 64;
    const ptrdiff_t half_panel = tile.blocks * panel_block(product) * element / 2;
    for (int64_t i = 0; i < runs * panels; i++) {
        const int64_t run = panels_stay ? i / panels : i % runs, panel = panels_stay ? i % panels : i / runs;
        const int64_t group = least(first_group + kernels->groups * run, last_group - 1), row = group * rows;
        const int64_t column = (block->first_panel + panel) * PANEL_COLUMNS, at = row * args->ldc + column;
        const bool whole = last_group - group >= 2 && row + 2 * rows <= args->m;
        const int64_t taken = !in_pairs ? least(kernels->groups, last_group - group) : whole ? 2 : 1;
        tile.rows = (int)least(args->m - row, taken * rows);
        tile.columns = (int)least(PANEL_COLUMNS, args->n - column);
        if (operands->a_edge && tile.rows < rows) {
            tile.a = operands->a_edge;
            tile.a_stride = BLOCK_TERMS * element;
            tile.a_block = group_block(product);
        } else {
            tile.a = operands->a + (group - first_group) * operands->a_group;
            tile.a_stride = operands->a_stride;
            tile.a_block = operands->a_block;
        }
        tile.b = operands->b + panel * operands->b_panel;
        tile.bias = bias ? bias + column : NULL;
        tile.c = tile.narrow ? (float *)((uint16_t *)args->c + at) : args->c + at;
        tile.from = accumulate ? tile.c : args->addend ? args->addend + row * args->ld_addend + column : NULL;
        tile.asks_for_rows = !in_pairs && panel == 0;
        // What streams is asked for while what is here is multiplied; panels that stay, by the first rows.
        tile.ahead_step = 0;
        if (panels_stay && run > 0 && run + 1 < runs && rows_ahead) {
            tile.ahead_step = row_step;
            tile.ahead = (const char *)(tile.a + taken * operands->a_group) + panel * row_step * tile.blocks;
            tile.ahead_second = tile.ahead + operands->a_group * element;
        } else if (panel + 1 < panels && (!panels_stay || run == 0)) {
            tile.ahead_step = panels_stay ? panel_block(product) * element / 2 : panel_step;
            tile.ahead = (const char *)(tile.b + operands->b_panel) + run * tile.ahead_step * tile.blocks;
            tile.ahead_second = tile.ahead + half_panel;
        }
        kernels->multiply(&tile);
    }
}

static void multiply_part(void *context, int part, int parts) {
    (void)parts;
    const bfloat16_product *product = context;
    const vitrail_product_args *args = product->args;
    const product_block block = product_block_at(&product->units, product->groups, product->panels, part);
    if (product->kernels->start) product->kernels->start();
    for (int64_t visit = 0; visit < product->visits; visit++) {
        const bool accumulate = args->accumulate || visit > 0;
        const bfloat16_operands operands = bfloat16_operands_at(product, &block, visit);
        const bfloat16_tile tile = {
            .a_group = operands.a_group,
            .blocks = visit_start(product, visit + 1) - visit_start(product, visit),
            .ldc = args->ldc,
            .bias = visit == product->visits - 1 ? args->bias : NULL,
            .alpha = args->alpha,
            .from_stride = accumulate ? args->ldc : args->ld_addend,
            .activates = args->activates,
            .narrow = args->c_type == VITRAIL_BFLOAT16,
            .activation = args->activation,
        };
        multiply_block(product, &block, &operands, tile, accumulate);
    }
    if (product->kernels->stop) product->kernels->stop();
}

/// Cuts C into units: as many columns as stay in a core's cache, and rows so that each thread has some units.
static void cut_units(bfloat16_product *product, int threads, bool share_a, bool share_b) {
    product_units *const units = &product->units;
    const int rows = product->kernels->rows;
    const int64_t depth = least(product->blocks, product->kernels->depth / product->kernels->terms);
    const int64_t panel_bytes = depth * panel_block(product) * (int64_t)sizeof(uint16_t);
    const int64_t kept = least(UNIT_COLUMNS / PANEL_COLUMNS, UNIT_BYTES / panel_bytes);
    units->row_units = 1;
    units->column_units = share_a ? divide_up(product->panels, kept > 4 ? kept : 4) : 1;
    // Rows that a unit packs, or comes by more than once, must stay in that cache as well.
    const int64_t group_bytes = depth * group_block(product) * (int64_t)sizeof(uint16_t);
    if (!share_a) units->row_units = least(product->groups, divide_up(product->groups * group_bytes, LOCAL_BYTES));
    else if (depth < product->blocks && share_b) units->row_units = divide_up(product->groups * rows, VISITED_ROWS);
    else if (depth < product->blocks) {
        // A block of C that is visited again has all rows: it is narrow.
        const int64_t narrow = VISITED_ELEMENTS / (product->groups * rows * PANEL_COLUMNS);
        units->column_units = divide_up(product->panels, narrow < 2 ? 2 : least(narrow, kept));
    }
    if (threads == 1) return;
    const int64_t wanted = 4 * (int64_t)threads;
    const bool few_rows = product->args->m <= LOCAL_EXTENT;
    while (product_units_count(units) < wanted) {
        const int64_t tall = share_b ? product->groups / units->row_units * rows : 0;
        const int64_t wide = share_a ? product->panels / units->column_units * PANEL_COLUMNS : 0;
        if (tall >= 2 * (share_a ? LEAST_ROWS : LEAST_LOCAL_ROWS) && tall >= wide / 2) {
            units->row_units = least(units->row_units * 2, product->groups);
        } else if (wide >= 2 * (share_b || few_rows ? PANEL_COLUMNS : LEAST_LOCAL_COLUMNS)) {
            units->column_units = least(units->column_units * 2, product->panels);
        } else {
            break;
        }
    }
}

static void cut(bfloat16_product *product, int threads, bool share_a, bool share_b, bool in_turn) {
    if (in_turn && threads > 1) product->units = (product_units){.row_units = 1, .column_units = divide_up(product->panels, TURN_PANELS)};
    else cut_units(product, threads, share_a, share_b);
    // What one unit packs of many columns alone is not packed again for its pieces.
    const bool cuts = threads > 1 && (share_b || in_turn);
    product_cut_last_units(&product->units, threads, cuts ? product->groups / product->units.row_units / LEAST_PIECE_GROUPS : 1);
}

static bfloat16_product describe(const vitrail_product_args *args, const bfloat16_kernels *kernels) {
    return (bfloat16_product){
        .args = args,
        .kernels = kernels,
        .blocks = divide_up(args->k, kernels->terms),
        .visits = product_bfloat16_visits(args, kernels),
        .groups = divide_up(args->m, kernels->rows),
        .panels = divide_up(args->n, PANEL_COLUMNS),
    };
}

/// Whether A is read where it lies.
static bool reads_rows(const vitrail_product_args *args, const bfloat16_kernels *kernels) {
    const bool fits = args->k % BLOCK_TERMS == 0 && args->lda % BLOCK_TERMS == 0 && (uintptr_t)args->a % 64 == 0;
    const int64_t bytes = args->lda * (int64_t)sizeof(uint16_t);
    return kernels->reads_rows && args->a_type == VITRAIL_BFLOAT16 && !args->transpose_a && fits
           && !(kernels->apart && bytes % kernels->apart == 0);
}

int64_t product_bfloat16_visits(const vitrail_product_args *args, const bfloat16_kernels *kernels) {
    return divide_up(divide_up(args->k, kernels->terms), kernels->depth / kernels->terms);
}

bool product_bfloat16_begin(vitrail_pool *pool, const vitrail_product_args *args, const bfloat16_kernels *kernels,
                            product_work *work) {
    const int threads = vitrail_pool_threads(pool), crew = vitrail_pool_crew(pool);
    bfloat16_product product = describe(args, kernels);
    const size_t a_bytes =
        (size_t)(product.groups * group_size(&product, product.blocks, product.visits)) * sizeof(uint16_t);
    const size_t b_bytes =
        (size_t)(product.panels * panel_size(&product, product.blocks, product.visits)) * sizeof(uint16_t);
    product.direct_a = reads_rows(args, kernels);
    packed_operand *const packed = b_bytes > SHARED_BYTES ? NULL : packed_operand_of(args, kernels, b_bytes, threads);
    bool share_a = true, share_b = true;
    // Columns are packed by whoever comes to them, and are in its second-level cache then, where there are enough units of few columns:
    // nobody waits for what is packed for all. Tiles were not measured so.
    const bool are_many = crew > 1 && args->m > LOCAL_EXTENT && product.panels >= LEAST_TURN_UNITS * TURN_PANELS * crew;
    const bool in_turn = !packed && product.direct_a && !kernels->start && (threads == 1 || are_many);
    if (!packed && (args->m <= LOCAL_EXTENT || in_turn || (b_bytes > SHARED_BYTES && a_bytes <= b_bytes))) {
        share_b = false;
    } else if (!product.direct_a) {
        // Rows are packed by their units where one unit takes all columns; terms that lie apart are better read at once.
        share_a = args->n > (args->transpose_a ? LOCAL_EXTENT : UNIT_COLUMNS) && a_bytes <= SHARED_BYTES;
    }
    cut(&product, crew, share_a, share_b, in_turn);

    const bool packs_a = share_a && !product.direct_a;
    const size_t shared_a_bytes = packs_a ? (a_bytes + 63) & ~(size_t)63 : 0;
    const size_t shared_b_bytes = share_b && !packed ? (b_bytes + 63) & ~(size_t)63 : 0;
    const int64_t unit_groups = product.direct_a ? 1 : divide_up(product.groups, product.units.row_units);
    const int64_t unit_panels = divide_up(product.panels, product.units.column_units);
    const int64_t depth = least(product.blocks, kernels->depth / kernels->terms);
    const size_t group_bytes = (size_t)group_size(&product, depth, 1) * sizeof(uint16_t);
    const size_t panel_bytes = (size_t)panel_size(&product, depth, 1) * sizeof(uint16_t);
    product.scratch_a_bytes = packs_a ? 0 : (size_t)unit_groups * group_bytes;
    product.scratch_bytes = product.scratch_a_bytes + (share_b ? 0 : (size_t)unit_panels * panel_bytes);
    product.scratch_bytes = (product.scratch_bytes + 4095) & ~(size_t)4095;
    const size_t head_bytes = (sizeof product + 63) & ~(size_t)63;
    char *const head =
        vitrail_pool_borrow(pool, head_bytes + shared_a_bytes + shared_b_bytes + product.scratch_bytes * (size_t)threads);
    if (!head) return false;
    char *const memory = head + head_bytes;
    product.shared_a = product.packing_a = packs_a ? (uint16_t *)memory : NULL;
    product.shared_b = product.packing_b = share_b ? (uint16_t *)(memory + shared_a_bytes) : NULL;
    product.scratch = memory + shared_a_bytes + shared_b_bytes;
    if (packed) {
        product.shared_b = packed_operand_memory(packed);
        product.packing_b = NULL;
        bfloat16_product packing = product;
        packing.packing_a = NULL;
        packing.packing_b = packed_operand_memory(packed);
        packed_operand_finish(packed, bfloat16_pack_part, &packing);
    }
    *work = (product_work){
        .context = memcpy(head, &product, sizeof product),
        .pack = bfloat16_pack_part,
        .multiply = multiply_part,
        .pack_parts = product.packing_a || product.packing_b ? 8 * threads : 0,
        .parts = (int)product_parts(&product.units),
    };
    return true;
}
