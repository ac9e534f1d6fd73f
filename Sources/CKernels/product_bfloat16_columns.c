// A bfloat16 product whose operands both lie with terms apart, as a weight gradient's do: a term is a row of A and a row of
// B. Two rows' neighbours only have to be interleaved, in one instruction, so that each unit of work does it for itself:
// nothing is packed for all and nobody waits for that. A unit keeps the panels of B that it has interleaved in its core's
// second-level cache; groups of A follow, each asked for while those before it are multiplied.
//
// Where C is visited more than once, all units are visited once before any is visited again: threads are at the same terms
// at the same time, which then come from memory once.

#include "product_bfloat16.h"

#include <sched.h>
#include <stdatomic.h>

enum {
    UNIT_BYTES = 640 << 10,         // of B that a unit keeps
    UNIT_PANELS = 16,               // at most
    DEPTH_BLOCKS = 32,              // of terms between visits to C, at most
    LEAST_GROUPS = 2,               // of a unit, and
    LEAST_PANELS = 2,               // where there are enough: what is interleaved is read a few times
    LAST_PIECES = 4,                // of each of the last units
    LEAST_PIECE_GROUPS = 4,
    GROUPS = 2,                     // of A that are interleaved at once: nearly a line's columns
};

typedef struct {
    const vitrail_product_args *args;
    const bfloat16_kernels *kernels;
    int64_t blocks, visits, depth;  // of terms; `depth` in the longest visit
    int64_t groups, panels;
    int64_t row_units, column_units;
    int64_t whole_units, pieces;    // units that are taken whole, and in how many pieces the others are
    atomic_int *visited;            // [units], where there are several visits
    char *scratch;
    size_t scratch_bytes, scratch_a_bytes;
} columns_product;

static const char *element_at(const void *data, int64_t index, vitrail_element type) {
    return (const char *)data + index * (type == VITRAIL_BFLOAT16 ? 2 : 4);
}

static int64_t bytes_of(vitrail_element type, int64_t count) { return count * (type == VITRAIL_BFLOAT16 ? 2 : 4); }

/// A block of C over one visit's terms.
static void multiply_unit(const columns_product *product, int64_t first_group, int64_t last_group, int64_t first_panel,
                          int64_t last_panel, int64_t visit) {
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
    for (int64_t group = first_group; group < last_group; group += GROUPS) {
        const int64_t row = group * rows, taken = least(GROUPS, last_group - group);
        for (int64_t i = 0; i < taken; i++) {
            const int64_t first = row + i * rows;
            kernels->interleave(packed_a + i * group_elements, (int)rows,
                                element_at(args->a, term * args->lda + first, args->a_type), args->lda, args->a_type,
                                (int)least(rows, args->m - first), terms, blocks);
        }
        tile.a = packed_a;
        tile.rows = (int)least(args->m - row, taken * rows);
        for (int64_t panel = first_panel; panel < last_panel; panel++) {
            const int64_t column = panel * PANEL_COLUMNS;
            uint16_t *const b = packed_b + (panel - first_panel) * panel_elements;
            if (group == first_group) {
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
            if (panel + 1 == last_panel && group + GROUPS < last_group) {
                const int64_t next = row + GROUPS * rows;
                tile.ahead = element_at(args->a, term * args->lda + next, args->a_type);
                tile.ahead_bytes = bytes_of(args->a_type, least(GROUPS * rows, args->m - next));
                tile.ahead_step = bytes_of(args->a_type, args->lda);
            } else if (panel + 1 < last_panel && group == first_group) {
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
    for (int i = 1; atomic_load_explicit(visited, memory_order_acquire) < visits; i++) {
        if (i % 1024 == 0) sched_yield();
#if PRODUCT_X86
        else __builtin_ia32_pause();
#endif
    }
}

static void multiply_part(void *context, int part, int parts) {
    (void)parts;
    const columns_product *product = context;
    const int64_t units = product->row_units * product->column_units;
    // Pieces are those of the only visit.
    const int64_t visit = product->visits > 1 ? part / units : 0, index = product->visits > 1 ? part % units : part;
    const int64_t into_last = index - product->whole_units, pieces = into_last < 0 ? 1 : product->pieces;
    const int64_t unit = into_last < 0 ? index : product->whole_units + into_last / pieces;
    const int64_t row_unit = unit % product->row_units, column_unit = unit / product->row_units;
    const int64_t piece = row_unit * pieces + (into_last < 0 ? 0 : into_last % pieces), of = product->row_units * pieces;
    const int64_t first_group = product->groups * piece / of, last_group = product->groups * (piece + 1) / of;
    const int64_t first_panel = product->panels * column_unit / product->column_units;
    const int64_t last_panel = product->panels * (column_unit + 1) / product->column_units;
    if (visit > 0) wait_for(&product->visited[unit], (int)visit);
    multiply_unit(product, first_group, last_group, first_panel, last_panel, visit);
    if (product->visits > 1) atomic_store_explicit(&product->visited[unit], (int)visit + 1, memory_order_release);
}

/// Cuts C into units: as many columns as stay in a core's cache, and so many units that each thread has some.
static void cut(columns_product *product, int threads) {
    product->row_units = 1;
    const int64_t panel_bytes = product->depth * BLOCK_TERMS * PANEL_COLUMNS * (int64_t)sizeof(uint16_t);
    product->column_units = divide_up(product->panels, least(UNIT_PANELS, UNIT_BYTES / panel_bytes));
    const int64_t wanted = threads == 1 ? 1 : (product->visits > 1 ? 2 : 4) * (int64_t)threads;
    while (product->row_units * product->column_units < wanted) {
        const int64_t tall = product->groups / product->row_units, wide = product->panels / product->column_units;
        if (tall >= 2 * LEAST_GROUPS && (tall >= 2 * wide || wide < 2 * LEAST_PANELS)) {
            product->row_units *= 2;
        } else if (wide >= 2 * LEAST_PANELS) {
            product->column_units *= 2;
        } else {
            break;
        }
    }
    const int64_t units = product->row_units * product->column_units;
    const int64_t most = threads > 1 && product->visits == 1 ? product->groups / product->row_units / LEAST_PIECE_GROUPS : 1;
    product->pieces = most < 1 ? 1 : least(most, LAST_PIECES);
    product->whole_units = product->pieces == 1 ? units : units - least(units, threads);
}

bool product_bfloat16_columns(vitrail_pool *pool, const vitrail_product_args *args, const bfloat16_kernels *kernels) {
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
    cut(&product, threads);
    const int64_t block_bytes = BLOCK_TERMS * (int64_t)sizeof(uint16_t) * product.depth;
    const int64_t unit_panels = divide_up(product.panels, product.column_units);
    // A group's last line of pairs is written whole.
    product.scratch_a_bytes = ((size_t)(GROUPS * kernels->rows * block_bytes) + 127) & ~(size_t)63;
    product.scratch_bytes = (product.scratch_a_bytes + (size_t)(unit_panels * PANEL_COLUMNS * block_bytes) + 4095) & ~(size_t)4095;
    const int64_t units = product.row_units * product.column_units;
    const size_t visited_bytes = ((size_t)units * sizeof(atomic_int) + 4095) & ~(size_t)4095;
    char *memory = vitrail_pool_borrow(pool, visited_bytes + product.scratch_bytes * (size_t)threads);
    if (!memory) return false;
    product.visited = (atomic_int *)memory;
    for (int64_t i = 0; i < units; i++) atomic_init(&product.visited[i], 0);
    product.scratch = memory + visited_bytes;
    const int64_t pieces = product.whole_units + (units - product.whole_units) * product.pieces;
    vitrail_pool_run_dynamic(pool, multiply_part, &product, (int)(product.visits > 1 ? units * product.visits : pieces));
    vitrail_pool_return(pool, memory);
    return true;
}
