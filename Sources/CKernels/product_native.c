// A float32 product from microkernels. B is packed into panels as wide as a kernel's tile; A is read where it lies,
// or packed by the unit of work that reads it when its rows are not contiguous. In a weight gradient, where a term of A and
// of B is a row of each, a kernel's tile is a few neighbours of both rows: nothing is packed. The last units are taken in
// pieces of their rows, so that threads end together. Neither the cut into units nor the number of threads changes the
// order of a sum: only `BLOCK_DEPTH` does.

#include "product_packed.h"
#include "product_units.h"

enum {
    BLOCK_DEPTH = 768,              // terms of a sum between visits to C: a panel of B stays near the first cache
    UNIT_ROWS = 168,                // rows and columns of C in a unit of work, at most
    UNIT_COLUMNS = 512,
    LOCAL_ROWS = 400,               // with fewer rows than this each unit packs its own part of B
    SHARED_BYTES = 24 << 20,        // packed B held at once
    LINE_BYTES = 64,
};

typedef struct {
    const vitrail_product_args *args;
    const float32_kernels *kernels;
    product_source a_source, b_source;
    bool in_place;                  // A's columns and B's rows are read where they lie
    bool by_rows;                   // A's rows are float32 and lie whole: the next ones can be asked for
    bool pack_a;
    int64_t depth;                  // terms in a block
    int64_t row_tiles, column_tiles;
    product_units units;
    int64_t first_tile;             // first column tile of the chunk in work, and their number
    int64_t chunk_tiles;
    float *packing;                 // where packed B of the chunk is written
    const float *shared;            // and read: [tile][k][columns], NULL when units pack it
    char *scratch;                  // [threads][scratch_bytes]
    size_t scratch_bytes, scratch_a_bytes;
} native_product;

const float32_kernels *float32_kernels_in_use(void) {
#if PRODUCT_X86
    if (vitrail_cpu() >= VITRAIL_CPU_AVX512) return &float32_kernels_avx512;
    if (vitrail_cpu() >= VITRAIL_CPU_AVX2) return &float32_kernels_avx2;
#endif
    return &float32_kernels_plain;
}

/// Packs terms [start, start + depth) of one column tile of B.
static void pack_tile(const native_product *product, float *out, int64_t tile, int64_t start, int64_t depth) {
    const vitrail_product_args *args = product->args;
    const int width = product->kernels->columns;
    const int64_t column = tile * width;
    const int64_t index = args->transpose_b ? column * args->ldb + start : start * args->ldb + column;
    product->kernels->pack(out, width, element_at(args->b, index, args->b_type), args->ldb, args->transpose_b,
                           (int)least(width, args->n - column), depth, product->b_source);
}

static void pack_part(void *context, int part, int parts) {
    const native_product *product = context;
    const int64_t size = product->args->k * product->kernels->columns;
    const int64_t first = product->chunk_tiles * part / parts, last = product->chunk_tiles * (part + 1) / parts;
    for (int64_t tile = first; tile < last; tile++) {
        pack_tile(product, product->packing + tile * size, product->first_tile + tile, 0, product->args->k);
    }
}

/// Packs terms [start, start + depth) of some rows of A: by columns when A is transposed, by rows (converted only) otherwise.
static void pack_rows(const native_product *product, float *out, int64_t row, int count, int64_t start, int64_t depth) {
    const vitrail_product_args *args = product->args;
    const float32_kernels *kernels = product->kernels;
    if (args->transpose_a) {
        kernels->pack(out, kernels->rows, element_at(args->a, start * args->lda + row, args->a_type), args->lda, false, count,
                      depth, product->a_source);
        return;
    }
    for (int i = 0; i < count; i++) {
        kernels->pack(out + i * depth, (int)depth, element_at(args->a, (row + i) * args->lda + start, args->a_type), 0, false,
                      (int)depth, 1, product->a_source);
    }
}

/// Multiplies a block of rows by a block of columns: a unit, or a piece of one.
static void multiply_part(void *context, int part, int parts) {
    (void)parts;
    const native_product *product = context;
    const vitrail_product_args *args = product->args;
    const float32_kernels *kernels = product->kernels;
    const product_block block = product_block_at(&product->units, product->row_tiles, product->chunk_tiles, part);
    const int64_t first_row = block.first_group * kernels->rows, last_row = least(args->m, block.last_group * kernels->rows);
    const int64_t first_tile = block.first_panel, last_tile = block.last_panel;
    char *scratch = product->scratch + (size_t)vitrail_pool_thread() * product->scratch_bytes;
    float *packed_a = (float *)scratch, *packed_b = (float *)(scratch + product->scratch_a_bytes);

    for (int64_t start = 0; start == 0 || start < args->k; start += product->depth) {
        const int64_t depth = least(product->depth, args->k - start);
        const bool last_block = start + depth >= args->k;
        for (int64_t tile = first_tile; tile < last_tile; tile++) {
            const int64_t column = (product->first_tile + tile) * kernels->columns;
            float32_tile work = {
                .k = depth,
                .b_stride = kernels->columns,
                .ldc = args->ldc,
                .bias = args->bias && last_block ? args->bias + column : NULL,
                .alpha = args->alpha,
                .columns = (int)least(kernels->columns, args->n - column),
            };
            const bool accumulate = args->accumulate || start > 0;
            if (product->shared) {
                work.b = product->shared + (tile * args->k + start) * kernels->columns;
            } else if (!args->transpose_b && product->b_source == SOURCE_FLOAT32 && work.columns == kernels->columns
                       && (product->in_place || last_row - first_row <= 4 * kernels->rows)) {
                // Or too few rows to repay a copy.
                work.b = (const float *)args->b + start * args->ldb + column;
                work.b_stride = args->ldb;
            } else {
                pack_tile(product, packed_b, product->first_tile + tile, start, depth);
                work.b = packed_b;
            }
            for (int64_t row = first_row; row < last_row; row += kernels->rows) {
                work.rows = (int)least(kernels->rows, last_row - row);
                work.c = args->c + row * args->ldc + column;
                work.from = accumulate ? work.c : args->addend ? args->addend + row * args->ld_addend + column : NULL;
                work.from_stride = accumulate ? args->ldc : args->ld_addend;
                if (product->pack_a) {
                    // Beside the first panel's products, so that the rows after them are on their way meanwhile.
                    float *out = packed_a + (row - first_row) * depth;
                    if (tile == first_tile) pack_rows(product, out, row, work.rows, start, depth);
                    work.a = out;
                    work.a_stride = args->transpose_a ? kernels->rows : depth;
                } else {
                    work.a = (const float *)args->a + (product->in_place ? start * args->lda + row : row * args->lda + start);
                    work.a_stride = args->lda;
                }
                const int64_t next = row + kernels->rows;
                const bool is_next = product->by_rows && tile == first_tile && next < last_row;
                work.ahead = is_next ? (const float *)args->a + next * args->lda + start : NULL;
                work.ahead_stride = args->lda;
                // The first panel brings the unit's rows into the second-level cache, the first rows a panel.
                work.asks_for_a = product->in_place && tile == first_tile;
                work.asks_for_b = row == first_row;
                (args->transpose_a ? kernels->by_columns : kernels->by_rows)(&work);
            }
        }
    }
}

static product_source source_of(vitrail_element type, vitrail_element precision) {
    if (type == VITRAIL_BFLOAT16) return SOURCE_BFLOAT16;
    return precision == VITRAIL_BFLOAT16 ? SOURCE_ROUNDED : SOURCE_FLOAT32;
}

/// Cuts a chunk of C into units: large ones for the caches, several a thread for balance.
static void cut_units(native_product *product, int threads, bool cuts_rows) {
    product_units *const units = &product->units;
    const float32_kernels *kernels = product->kernels;
    const int64_t rows = cuts_rows ? UNIT_ROWS : LOCAL_ROWS;
    units->row_units = divide_up(product->row_tiles, (rows + kernels->rows - 1) / kernels->rows);
    units->column_units = divide_up(product->chunk_tiles, UNIT_COLUMNS / kernels->columns);
    if (threads == 1) return;
    const int64_t wanted = 4 * (int64_t)threads;
    while (product_units_count(units) < wanted) {
        const int64_t tall = product->row_tiles / units->row_units * kernels->rows;
        const int64_t wide = product->chunk_tiles / units->column_units * kernels->columns;
        if (wide >= 2 * kernels->columns && (wide >= tall || !cuts_rows)) {
            units->column_units = least(units->column_units * 2, product->chunk_tiles);
        } else if (cuts_rows && tall >= 2 * kernels->rows) {
            units->row_units = least(units->row_units * 2, product->row_tiles);
        } else {
            break;
        }
    }
}

static void cut(native_product *product, int threads) {
    // What one unit packs of B alone is not packed again for its pieces.
    const bool cuts_rows = product->shared || product->in_place;
    cut_units(product, threads, cuts_rows);
    product_cut_last_units(&product->units, threads, threads > 1 && cuts_rows ? product->row_tiles / product->units.row_units : 1);
}

static native_product describe(const vitrail_product_args *args, const float32_kernels *kernels) {
    native_product product = {
        .args = args,
        .kernels = kernels,
        .a_source = source_of(args->a_type, args->precision),
        .b_source = source_of(args->b_type, args->precision),
        .row_tiles = divide_up(args->m, kernels->rows),
        .column_tiles = divide_up(args->n, kernels->columns),
    };
    const bool is_float32 = product.a_source == SOURCE_FLOAT32 && product.b_source == SOURCE_FLOAT32;
    // Where a tile takes less than half a line of A's rows, reading a line for each of them costs more than packing does.
    const bool takes_lines = kernels->rows * (int)sizeof(float) > LINE_BYTES / 2;
    product.in_place = args->transpose_a && !args->transpose_b && is_float32 && takes_lines;
    // Rows a multiple of 4 KiB apart would share a few lines of the first cache.
    product.by_rows = !args->transpose_a && product.a_source == SOURCE_FLOAT32;
    product.pack_a = !product.in_place && !(product.by_rows && args->lda % 1024 != 0);
    const int64_t blocks = divide_up(args->k, BLOCK_DEPTH);
    product.depth = blocks < 2 ? args->k : (divide_up(args->k, blocks) + 15) / 16 * 16;
    if (product.depth < 1) product.depth = 1;  // no terms: one visit writes zeros and the bias
    return product;
}

bool product_native_float32(vitrail_pool *pool, const vitrail_product_args *args, const float32_kernels *kernels) {
    const int threads = vitrail_pool_threads(pool);
    native_product product = describe(args, kernels);
    const int64_t tile_bytes = args->k * kernels->columns * 4, all_bytes = product.column_tiles * tile_bytes;
    packed_operand *const packed = product.in_place || all_bytes > SHARED_BYTES ? NULL
        : packed_operand_of(args, kernels, (size_t)all_bytes, (int)least(product.column_tiles, threads));
    const bool share = packed || (args->m > LOCAL_ROWS && !product.in_place);
    int64_t chunk = product.column_tiles;
    if (share && tile_bytes > 0) {
        const int64_t most = SHARED_BYTES / tile_bytes;
        chunk = divide_up(product.column_tiles, divide_up(product.column_tiles, most < 1 ? 1 : most));
    }
    const size_t shared_bytes = share && !packed ? ((size_t)(chunk * tile_bytes) + 4095) & ~(size_t)4095 : 0;
    const int64_t unit_rows = (share ? UNIT_ROWS : LOCAL_ROWS) + 2 * kernels->rows;
    product.scratch_a_bytes = product.pack_a ? ((size_t)(unit_rows * product.depth * 4) + 127) & ~(size_t)63 : 0;
    product.scratch_bytes = product.scratch_a_bytes;
    if (!share) product.scratch_bytes += (size_t)(product.depth * kernels->columns * 4) + 64;
    product.scratch_bytes = (product.scratch_bytes + 4095) & ~(size_t)4095;

    char *memory = vitrail_pool_borrow(pool, shared_bytes + product.scratch_bytes * (size_t)threads);
    if (!memory) return false;
    product.packing = packed ? packed_operand_memory(packed) : (float *)memory;
    product.shared = share ? product.packing : NULL;
    product.scratch = memory + shared_bytes;
    for (product.first_tile = 0; product.first_tile < product.column_tiles; product.first_tile += chunk) {
        product.chunk_tiles = least(chunk, product.column_tiles - product.first_tile);
        if (packed) {
            packed_operand_finish(packed, pack_part, &product);
        } else if (share) {
            vitrail_pool_run_dynamic(pool, pack_part, &product, (int)least(product.chunk_tiles, 4 * threads));
        }
        cut(&product, vitrail_pool_crew(pool));
        vitrail_pool_run_dynamic(pool, multiply_part, &product, (int)product_parts(&product.units));
    }
    vitrail_pool_return(pool, memory);
    return true;
}
