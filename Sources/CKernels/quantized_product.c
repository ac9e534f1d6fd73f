// A product with quantised weights: rows of x are rounded and packed once, by all threads, and blocks of C follow. A unit of work is
// some pairs of groups of weights by as many rows of x as stay in the second-level cache; a pair stays in the first one while they
// stream past. Sums are finished in registers, all terms at once: how C is cut changes no bit.

#include "quantized_product.h"
#include "quantized_weights.h"

#if PRODUCT_X86

enum {
    UNIT_BYTES = 512 << 10,    // of packed x
    UNITS_A_THREAD = 16,
    LEAST_LINES = 2,
    LEAST_PANELS = 4,          // of a unit that is cut for the sake of balance
    ALONE_ELEMENTS = 16384,    // of x, that a thread rounds faster than several come together
};

typedef struct {
    const vitrail_product_args *args;
    const quantized_tiles *tiles;
    vitrail_weight_format format;
    char *packed;
    int64_t blocks, panels, groups, pairs;
    int64_t row_units, column_units;
    size_t group_bytes, scale_bytes, panel_bytes;
} quantized_product;

static void pack_part(void *context, int part, int parts) {
    const quantized_product *product = context;
    const vitrail_product_args *args = product->args;
    const size_t row_bytes = (size_t)args->lda * (args->a_type == VITRAIL_BFLOAT16 ? 2 : 4);
    for (int64_t panel = product->panels * part / parts; panel < product->panels * (part + 1) / parts; panel++) {
        const int64_t row = panel * PANEL_ROWS;
        quantized_pack_panel(product->format, (const char *)args->a + (size_t)row * row_bytes, args->a_type, args->lda,
                             (int)least(PANEL_ROWS, args->m - row), args->k,
                             product->packed + (size_t)panel * product->panel_bytes);
    }
}

static void multiply_part(void *context, int part, int parts) {
    (void)parts;
    const quantized_product *product = context;
    const vitrail_product_args *args = product->args;
    const int64_t row_unit = part % product->row_units, column_unit = part / product->row_units;
    const int64_t first_panel = product->panels * row_unit / product->row_units;
    const int64_t last_panel = product->panels * (row_unit + 1) / product->row_units;
    const int64_t last_row = least(last_panel * PANEL_ROWS, args->m);
    const int64_t first_pair = product->pairs * column_unit / product->column_units;
    const int64_t last_pair = product->pairs * (column_unit + 1) / product->column_units;
    // The next pair is asked for by all of this one's tiles, or by the first, some lines a block.
    const int64_t pair_lines = divide_up(2 * (int64_t)product->group_bytes, 64 * product->blocks);
    const int64_t share = divide_up(pair_lines, last_panel - first_panel);
    const int lines = (int)(share < LEAST_LINES ? LEAST_LINES : share);
    const bool is_plain = !args->activates && args->alpha == 1 && !args->accumulate;
    const size_t element = args->c_type == VITRAIL_BFLOAT16 ? sizeof(uint16_t) : sizeof(float);
    quantized_tile tile = {
        .scale_bytes = product->scale_bytes,
        .blocks = product->blocks,
        .terms = terms_of(product->format),
        .c_row = (size_t)args->ldc * element,
        .addend_row = (size_t)args->ld_addend * sizeof(float),
        .narrow = args->c_type == VITRAIL_BFLOAT16,
    };
    void (*const multiply)(const quantized_tile *, float *) =
        product->format == VITRAIL_WEIGHTS_INT4 ? product->tiles->int4 : product->tiles->int8;
    const size_t lines_bytes = (size_t)(64 * product->blocks * lines);
    for (int64_t pair = first_pair; pair < last_pair; pair++) {
        const uint8_t *group = (const uint8_t *)args->b + (size_t)(2 * pair) * product->group_bytes;
        const bool has_second = 2 * pair + 1 < product->groups, has_next = pair + 1 < product->pairs;
        const int64_t column = pair * PAIR_ROWS, columns = least(PAIR_ROWS, args->n - column);
        tile.groups[0] = group;
        tile.groups[1] = has_second ? group + product->group_bytes : group;
        tile.panel = product->packed + (size_t)first_panel * product->panel_bytes;
        tile.ahead = (const char *)group + 2 * product->group_bytes;
        tile.ahead_lines = has_next ? lines : 0;
        tile.c = (char *)args->c + (size_t)(first_panel * PANEL_ROWS * args->ldc + column) * element;
        tile.c_last = (size_t)columns * element - 1;
        tile.bias = args->bias ? args->bias + column : NULL;
        tile.addend = args->addend ? args->addend + first_panel * PANEL_ROWS * args->ld_addend + column : NULL;
        tile.is_whole = is_plain && columns == PAIR_ROWS;
        int64_t asked = 0;
        for (int64_t row = first_panel * PANEL_ROWS; row < last_row; row += PANEL_ROWS) {
            float sums[PANEL_ROWS * PAIR_ROWS] __attribute__((aligned(64)));
            tile.rows = (int)least(PANEL_ROWS, last_row - row);
            multiply(&tile, sums);
            if (!tile.is_whole) product->tiles->store(args, row, tile.rows, column, (int)columns, sums);
            tile.panel += product->panel_bytes;
            tile.ahead += lines_bytes;
            if ((asked += lines) >= pair_lines) tile.ahead_lines = 0;
            tile.c += PANEL_ROWS * tile.c_row;
            if (tile.addend) tile.addend += PANEL_ROWS * args->ld_addend;
        }
    }
}

/// As many rows as stay in a core's cache, and several units for each thread.
static void cut(quantized_product *product, int threads) {
    const int64_t wanted = threads == 1 ? 1 : UNITS_A_THREAD * (int64_t)threads;
    product->row_units = divide_up(product->panels * (int64_t)product->panel_bytes, UNIT_BYTES);
    product->row_units = least(product->row_units, product->panels);
    product->column_units = least(product->pairs, divide_up(wanted, product->row_units));
    const int64_t most = divide_up(product->panels, LEAST_PANELS), more = divide_up(wanted, product->column_units);
    if (product->row_units < most) product->row_units = more > product->row_units ? least(more, most) : product->row_units;
}

bool product_quantized(vitrail_pool *pool, const vitrail_product_args *args) {
    const int threads = vitrail_pool_threads(pool);
    const vitrail_weight_format format = VITRAIL_WEIGHTS_INT4 + (args->b_type - VITRAIL_INT4_GROUPS);
    quantized_product product = {
        .args = args,
        .tiles = vitrail_cpu() >= VITRAIL_CPU_AVX512_BF16 ? &quantized_tiles_bfloat16 : &quantized_tiles_vnni,
        .format = format,
        .blocks = blocks_of(format, args->k),
        .panels = divide_up(args->m, PANEL_ROWS),
        .groups = divide_up(args->n, QUANT_ROWS),
        .pairs = divide_up(args->n, PAIR_ROWS),
        .group_bytes = group_bytes(format, args->k),
        .scale_bytes = scales_bytes(blocks_of(format, args->k)),
    };
    product.panel_bytes = PANEL_HEADER + (size_t)(product.blocks * panel_block_bytes(terms_of(format)));
    product.packed = vitrail_pool_borrow(pool, (size_t)product.panels * product.panel_bytes);
    if (!product.packed) return false;
    const int packers = args->m * args->k < ALONE_ELEMENTS ? 1 : (int)least(product.panels, 4 * threads);
    vitrail_pool_run_dynamic(pool, pack_part, &product, packers);
    cut(&product, threads);
    const int units = (int)(product.row_units * product.column_units);
    if (product.row_units == 1) {
        const size_t bytes = (size_t)product.groups * product.group_bytes;
        vitrail_pool_run_reading(pool, multiply_part, &product, units, args->b, bytes);
    } else {
        vitrail_pool_run_dynamic(pool, multiply_part, &product, units);
    }
    vitrail_pool_return(pool, product.packed);
    return true;
}

#else

bool product_quantized(vitrail_pool *pool, const vitrail_product_args *args) {
    (void)pool;
    (void)args;
    return false;
}

#endif
