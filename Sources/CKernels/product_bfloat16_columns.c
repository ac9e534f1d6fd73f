// A bfloat16 product whose operands both lie with terms apart, as a weight gradient's do: a term is a row of A and a row of
// B. Two rows' neighbours only have to be interleaved, in one instruction, so that each unit of work does it for itself:
// nothing is packed for all and nobody waits for that. A unit keeps the panels of B that it has interleaved in its core's
// second-level cache; groups of A follow, each asked for while those before it are multiplied.
//
// Where C is visited more than once, all units are visited once before any is visited again: threads are at the same terms
// at the same time, which then come from memory once.

#include "product_bfloat16.h"

#include <stdatomic.h>

enum {
    UNIT_BYTES = 640 << 10,         // of B that a unit keeps
    UNIT_PANELS = 16,               // at most
    DEPTH_BLOCKS = 32,              // of terms between visits to C, at most
    LEAST_GROUPS = 2,               // of a unit, and
    LEAST_PANELS = 2,               // where there are enough: what is interleaved is read a few times
    LEAST_PIECE_GROUPS = 4,
    GROUPS = 2,                     // of A that are interleaved at once: nearly a line's columns
};

typedef struct {
    const vitrail_product_args *args;
    const bfloat16_kernels *kernels;
    int64_t blocks, visits, depth;  // of terms; `depth` in the longest visit
    int64_t groups, panels;
    product_units units;
    atomic_int *visited;            // [units], where there are several visits
    char *scratch;
    size_t scratch_bytes, scratch_a_bytes;
} columns_product;

/// A block of C over one visit's terms.
static void multiply_block(const columns_product *product, const product_block *block, int64_t visit) {
    const vitrail_product_args *args = product->args;
    const bfloat16_kernels *kernels = product->kernels;
    const int64_t start = product->blocks * visit / product->visits;
    const int64_t blocks = product->blocks * (visit + 1) / product->visits - start;
    const int64_t term = start * BLOCK_TERMS, terms = args->k - term;
    const bool accumulate = args->accumulate || visit > 0, is_last = visit == product->visits - 1;
    const int64_t rows = kernels->rows, group_elements = blocks * rows * BLOCK_TERMS;
    const int64_t panel_elements = blocks * PANEL_COLUMNS * BLOCK_TERMS;
    char *const scratch = product->scratch + (size_t)vitrail_pool_thread() * product->scratch_bytes;
    uint16_t *const packed_a = (uint16_t *)scratch, *const packed_b = (uint16_t *)(scratch + product->scratch_a_bytes);
    bfloat16_tile tile = {
        .a_group = group_elements,
        .blocks = blocks,
        .ldc = args->ldc,
        .alpha = args->alpha,
        .from_stride = accumulate ? args->ldc : args->ld_addend,
    };
    for (int64_t group = block->first_group; group < block->last_group; group += GROUPS) {
        const int64_t row = group * rows, taken = least(GROUPS, block->last_group - group);
        const bool is_first = group == block->first_group;
        for (int64_t i = 0; i < taken; i++) {
            const int64_t first = row + i * rows;
            kernels->interleave(packed_a + i * group_elements, (int)rows,
                                element_at(args->a, term * args->lda + first, args->a_type), args->lda, args->a_type,
                                (int)least(rows, args->m - first), terms, blocks);
        }
        tile.a = packed_a;
        tile.rows = (int)least(args->m - row, taken * rows);
        for (int64_t panel = block->first_panel; panel < block->last_panel; panel++) {
            const int64_t column = panel * PANEL_COLUMNS;
            const bool is_last_panel = panel + 1 == block->last_panel;
            uint16_t *const b = packed_b + (panel - block->first_panel) * panel_elements;
            if (is_first) {
                kernels->interleave(b, PANEL_COLUMNS, element_at(args->b, term * args->ldb + column, args->b_type), args->ldb,
                                    args->b_type, (int)least(PANEL_COLUMNS, args->n - column), terms, blocks);
            }
            tile.b = b;
            tile.columns = (int)least(PANEL_COLUMNS, args->n - column);
            tile.bias = is_last && args->bias ? args->bias + column : NULL;
            tile.c = args->c + row * args->ldc + column;
            tile.from = accumulate ? tile.c : args->addend ? args->addend + row * args->ld_addend + column : NULL;
            // The next panel of B is asked for by the first groups, the next groups by the last panel.
            tile.ahead_step = 0;
            if (is_last_panel && group + GROUPS < block->last_group) {
                const int64_t next = row + GROUPS * rows;
                tile.ahead = element_at(args->a, term * args->lda + next, args->a_type);
                tile.ahead_bytes = bytes_of(args->a_type, least(GROUPS * rows, args->m - next));
                tile.ahead_step = bytes_of(args->a_type, args->lda);
            } else if (!is_last_panel && is_first) {
                const int64_t next = column + PANEL_COLUMNS;
                tile.ahead = element_at(args->b, term * args->ldb + next, args->b_type);
                tile.ahead_bytes = bytes_of(args->b_type, least(PANEL_COLUMNS, args->n - next));
                tile.ahead_step = bytes_of(args->b_type, args->ldb);
            }
            kernels->multiply_columns(&tile);
        }
    }
}

/// Waits until a unit has been visited so often. Parts are taken in order, so that somebody is at the visit before, or done with it.
static void wait_for(const atomic_int *visited, int visits) {
    for (int turn = 1; atomic_load_explicit(visited, memory_order_acquire) < visits; turn++) take_turn(turn);
}

static void multiply_part(void *context, int part, int parts) {
    (void)parts;
    const columns_product *product = context;
    const int64_t parts_a_visit = product_parts(&product->units), visit = part / parts_a_visit;
    const product_block block = product_block_at(&product->units, product->groups, product->panels, part % parts_a_visit);
    if (visit > 0) wait_for(&product->visited[block.unit], (int)visit);
    multiply_block(product, &block, visit);
    if (product->visits > 1) atomic_store_explicit(&product->visited[block.unit], (int)visit + 1, memory_order_release);
}

/// Cuts C into units: as many columns as stay in a core's cache, and so many units that each thread has some.
static void cut(columns_product *product, int threads, bool is_last) {
    product_units *const units = &product->units;
    units->row_units = 1;
    const int64_t panel_bytes = product->depth * BLOCK_TERMS * PANEL_COLUMNS * (int64_t)sizeof(uint16_t);
    units->column_units = divide_up(product->panels, least(UNIT_PANELS, UNIT_BYTES / panel_bytes));
    const int64_t wanted = threads == 1 ? 1 : (product->visits > 1 ? 2 : 4) * (int64_t)threads;
    while (product_units_count(units) < wanted) {
        const int64_t tall = product->groups / units->row_units, wide = product->panels / units->column_units;
        if (tall >= 2 * LEAST_GROUPS && (tall >= 2 * wide || wide < 2 * LEAST_PANELS)) {
            units->row_units *= 2;
        } else if (wide >= 2 * LEAST_PANELS) {
            units->column_units *= 2;
        } else {
            break;
        }
    }
    // Only C that is visited once: a unit's visits are counted as one.
    const bool cuts = threads > 1 && is_last && product->visits == 1;
    product_cut_last_units(units, threads, cuts ? product->groups / units->row_units / LEAST_PIECE_GROUPS : 1);
}

bool product_bfloat16_begin_columns(vitrail_pool *pool, const vitrail_product_args *args, const bfloat16_kernels *kernels,
                                    bool is_last, product_work *work) {
    const int threads = vitrail_pool_threads(pool);
    columns_product product = {
        .args = args,
        .kernels = kernels,
        .blocks = divide_up(args->k, BLOCK_TERMS),
        .groups = divide_up(args->m, kernels->rows),
        .panels = divide_up(args->n, PANEL_COLUMNS),
    };
    product.visits = divide_up(product.blocks, DEPTH_BLOCKS);
    product.depth = divide_up(product.blocks, product.visits);
    cut(&product, vitrail_pool_crew(pool), is_last);
    const int64_t block_bytes = BLOCK_TERMS * (int64_t)sizeof(uint16_t) * product.depth;
    const int64_t unit_panels = divide_up(product.panels, product.units.column_units);
    // A group's last line of pairs is written whole.
    product.scratch_a_bytes = ((size_t)(GROUPS * kernels->rows * block_bytes) + 127) & ~(size_t)63;
    product.scratch_bytes = (product.scratch_a_bytes + (size_t)(unit_panels * PANEL_COLUMNS * block_bytes) + 4095) & ~(size_t)4095;
    const int64_t units = product_units_count(&product.units);
    const size_t head_bytes = (sizeof product + (size_t)units * sizeof(atomic_int) + 4095) & ~(size_t)4095;
    char *memory = vitrail_pool_borrow(pool, head_bytes + product.scratch_bytes * (size_t)threads);
    if (!memory) return false;
    product.visited = (atomic_int *)(memory + sizeof product);
    for (int64_t i = 0; i < units; i++) atomic_init(&product.visited[i], 0);
    product.scratch = memory + head_bytes;
    *work = (product_work){
        .context = memcpy(memory, &product, sizeof product),
        .multiply = multiply_part,
        .parts = (int)(product_parts(&product.units) * product.visits),
    };
    return true;
}
