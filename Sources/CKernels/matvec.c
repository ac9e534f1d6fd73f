// Decoding: few rows of x by all weights of a layer. Rows of weights are spread over the pool in runs that each
// thread reads from end to end.

#include "matvec_internal.h"
#include "product_bfloat16.h"

enum {
    PRODUCT_ROWS = 64,
    AMX_LEAST_COLUMNS = 3,
    AMX_TERMS = 32,              // of a row of a tile
    ALONE_ELEMENTS = 16384,  // of x, that a thread rounds faster than several come together
};

typedef struct {
    const vitrail_matvec_args *args;
    const dots_kernels *kernels;
    const float *x;                  // prepared, [m][stride]
    int64_t stride;
    const uint16_t *packed;          // for AMX: panels of 32 rows of x, or NULL
    int64_t runs;
} matvec;

const dots_kernels *dots_kernels_in_use(void) {
#if PRODUCT_X86
    // Processors with AMX see rows side by side coming, others of today only what lies one after another.
    const bool far = vitrail_cpu_asks_far();
    if (vitrail_cpu() >= VITRAIL_CPU_AVX512 && far) return &dots_kernels_avx512_far;
    if (vitrail_cpu() == VITRAIL_CPU_AVX512_BF16) return &dots_kernels_avx512_in_turn;
    if (vitrail_cpu() >= VITRAIL_CPU_AVX512) return &dots_kernels_avx512;
    if (vitrail_cpu() >= VITRAIL_CPU_AVX2) return far ? &dots_kernels_avx2_far : &dots_kernels_avx2;
#endif
    return &dots_kernels_plain;
}

/// Rows [first, last) of the weights by all rows of x, with dot products.
static void dots_rows(const matvec *work, int64_t first, int64_t last) {
    const vitrail_matvec_args *args = work->args;
    const bool half = args->format == VITRAIL_WEIGHTS_BFLOAT16;
    const dots_kernel kernel = half ? work->kernels->bfloat16 : work->kernels->float32;
    for (int64_t row = first; row < last; row += DOTS_ROWS) {
        const int rows = (int)least(DOTS_ROWS, last - row);
        const char *weights = (const char *)args->weights + row * args->ldw * (half ? 2 : 4);
        for (int64_t column = 0; column < args->m; column += work->kernels->columns) {
            const int columns = (int)least(work->kernels->columns, args->m - column);
            float sums[DOTS_ROWS * DOTS_MOST_COLUMNS], ordered[DOTS_ROWS];
            kernel(weights, args->ldw, rows, work->x + column * work->stride, work->stride, columns, args->k, sums);
            for (int c = 0; c < columns; c++) {
                for (int i = 0; i < rows; i++) ordered[i] = sums[i * columns + c];
                store_outputs(args, column + c, row, rows, ordered);
            }
        }
    }
}

#if PRODUCT_X86
/// Whole groups of sixteen rows on tiles; what is left of the rows and of k goes through dot products.
static void amx_rows(const matvec *work, int64_t first, int64_t last) {
    const vitrail_matvec_args *args = work->args;
    const int64_t blocks = args->k / AMX_TERMS, whole = blocks * AMX_TERMS;
    const uint16_t *weights = args->weights;
    amx_start();
    for (; first + RUN_ROWS <= last; first += RUN_ROWS) {
        for (int64_t column = 0; column < args->m; column += PANEL_COLUMNS) {
            const int columns = (int)least(PANEL_COLUMNS, args->m - column);
            float sums[PANEL_COLUMNS * RUN_ROWS];
            matvec_amx(weights + first * args->ldw, args->ldw, work->packed + column * whole, blocks, columns, sums);
            for (int64_t c = 0; c < columns; c++) {
                float *row = sums + c * RUN_ROWS;
                for (int64_t p = whole; p < args->k; p++) {
                    const float x = work->x[(column + c) * work->stride + p];
                    for (int i = 0; i < RUN_ROWS; i++) {
                        row[i] += float_from_bfloat16(weights[(first + i) * args->ldw + p]) * x;
                    }
                }
                store_outputs(args, column + c, first, RUN_ROWS, row);
            }
        }
    }
    amx_stop();
    if (first < last) dots_rows(work, first, last);
}
#endif

static void matvec_part(void *context, int part, int parts) {
    const matvec *work = context;
    const int64_t first = work->runs * part / parts * RUN_ROWS;
    const int64_t last = least(work->runs * (part + 1) / parts * RUN_ROWS, work->args->n);
#if PRODUCT_X86
    if (work->packed) {
        amx_rows(work, first, last);
        return;
    }
#endif
    dots_rows(work, first, last);
}

#if PRODUCT_X86
/// Up to PAIRS_MOST_COLUMNS rows of x by bfloat16 weights.
static bool matvec_pairs(vitrail_pool *pool, const vitrail_matvec_args *args) {
    pairs_work work = {.args = args, .packed = vitrail_pool_borrow(pool, pairs_bytes(args->m, args->k))};
    if (!work.packed) return false;
    const int threads = vitrail_pool_threads(pool);
    vitrail_pool_run(pool, pairs_pack_part, &work, args->m * args->k < ALONE_ELEMENTS ? 1 : threads);
    const int64_t parts = least(divide_up(args->n, PAIRS_RUN_ROWS), 16 * (int64_t)threads);
    const size_t bytes = (size_t)(args->n * args->ldw) * sizeof(uint16_t);
    vitrail_pool_run_reading(pool, pairs_part, &work, (int)parts, args->weights, bytes);
    vitrail_pool_return(pool, work.packed);
    return true;
}
#endif

bool vitrail_matvec_is_wide(void) { return PRODUCT_X86 && vitrail_cpu() >= VITRAIL_CPU_AVX512_BF16; }

bool vitrail_matvec(vitrail_pool *pool, const vitrail_matvec_args *args) {
    if (args->m <= 0 || args->n <= 0) return true;
    if (args->format >= VITRAIL_WEIGHTS_INT4) return matvec_quantized(pool, args);
    const bool half = args->format == VITRAIL_WEIGHTS_BFLOAT16;
    if (args->m > PRODUCT_ROWS) {
        const vitrail_element type = half ? VITRAIL_BFLOAT16 : VITRAIL_FLOAT32;
        const vitrail_product_args product = {
            .m = args->m, .n = args->n, .k = args->k, .a = args->x, .b = args->weights, .c = args->y,
            .lda = args->ldx, .ldb = args->ldw, .ldc = args->ldy, .bias = args->bias, .alpha = 1,
            .transpose_b = true, .accumulate = args->accumulate, .b_type = type, .precision = type};
        return vitrail_product(pool, &product);
    }
#if PRODUCT_X86
    if (half && vitrail_cpu() == VITRAIL_CPU_AVX512_BF16 && args->m >= PAIRS_LEAST_COLUMNS) return matvec_pairs(pool, args);
#endif
    matvec work = {.args = args, .kernels = dots_kernels_in_use(), .x = args->x, .stride = args->ldx};
    work.runs = divide_up(args->n, RUN_ROWS);
    char *memory = NULL;
    if (half) {
        work.stride = (args->k + 15) / 16 * 16;
        const size_t x_bytes = (size_t)(args->m * work.stride) * sizeof(float);
        const bool tiles = vitrail_cpu() >= VITRAIL_CPU_AMX && args->m >= AMX_LEAST_COLUMNS && args->k >= AMX_TERMS;
        const int64_t blocks = args->k / BLOCK_TERMS;
        const size_t panels = (size_t)divide_up(args->m, PANEL_COLUMNS);
        const size_t panel_bytes = (size_t)blocks * BLOCK_TERMS * PANEL_COLUMNS * sizeof(uint16_t);
        memory = vitrail_pool_borrow(pool, x_bytes + (tiles ? panels * panel_bytes : 0) + 64);
        if (!memory) return false;
        work.x = (float *)memory;
        // Tiles leave the rows and terms over that fill no tile to dot products.
        if (!tiles || args->n % RUN_ROWS != 0 || args->k % BLOCK_TERMS != 0) {
            for (int64_t row = 0; row < args->m; row++) {
                work.kernels->prepare(args->x + row * args->ldx, args->k, (float *)memory + row * work.stride);
            }
        }
#if PRODUCT_X86
        if (tiles) {
            uint16_t *packed = (uint16_t *)(memory + ((x_bytes + 63) & ~(size_t)63));
            for (size_t i = 0; i < panels; i++) {
                const int64_t row = (int64_t)i * PANEL_COLUMNS;
                bfloat16_kernels_amx.pack_b((uint16_t *)((char *)packed + i * panel_bytes), args->x + row * args->ldx,
                                            args->ldx, true, VITRAIL_FLOAT32, (int)least(PANEL_COLUMNS, args->m - row),
                                            blocks * BLOCK_TERMS, blocks);
            }
            work.packed = packed;
        }
#endif
    }
    const int64_t parts = least(work.runs, 16 * (int64_t)vitrail_pool_threads(pool));
    const size_t bytes = (size_t)(args->n * args->ldw) * (half ? sizeof(uint16_t) : sizeof(float));
    vitrail_pool_run_reading(pool, matvec_part, &work, (int)parts, args->weights, bytes);
    vitrail_pool_return(pool, memory);
    return true;
}

// MARK: One row of x

size_t prepared_bytes(vitrail_weight_format format, int64_t k) {
    if (format >= VITRAIL_WEIGHTS_INT4) return prepared_bytes_quantized(format, k);
    return (size_t)divide_up(k, 16) * 16 * sizeof(float);
}

void prepare_row(vitrail_weight_format format, const float *x, int64_t k, void *out) {
    if (format >= VITRAIL_WEIGHTS_INT4) {
        prepare_row_quantized(format, x, k, out);
    } else if (format == VITRAIL_WEIGHTS_BFLOAT16) {
        dots_kernels_in_use()->prepare(x, k, out);
    } else {
        memcpy(out, x, (size_t)k * sizeof(float));
    }
}

void multiply_prepared(vitrail_weight_format format, const void *weights, int64_t ldw, int64_t k, int64_t first, int count,
                       const void *prepared, float *out) {
    if (format >= VITRAIL_WEIGHTS_INT4) {
        multiply_prepared_quantized(format, weights, k, first, count, prepared, out);
        return;
    }
    const bool half = format == VITRAIL_WEIGHTS_BFLOAT16;
    const dots_kernels *kernels = dots_kernels_in_use();
    const dots_kernel kernel = half ? kernels->bfloat16 : kernels->float32;
    for (int row = 0; row < count; row += DOTS_ROWS) {
        const char *from = (const char *)weights + (first + row) * ldw * (half ? 2 : 4);
        kernel(from, ldw, (int)least(DOTS_ROWS, count - row), prepared, 0, 1, k, out + row);
    }
}
