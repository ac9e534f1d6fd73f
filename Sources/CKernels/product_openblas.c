// Products by OpenBLAS: every thread of the pool calls it for tiles of its own, so that two sets of threads never
// compete for the cores. It is loaded when a product first takes it: most processors never do, and would wait for its
// buffers and for a thread a core at each start.

#include "product_internal.h"

#include <dlfcn.h>
#include <pthread.h>

enum { TILE_ROWS = 256, TILE_COLUMNS = 512 };

typedef struct {
    const vitrail_product_args *args;
    const float *a, *b;
    int64_t lda, ldb;
    int64_t row_tiles, column_tiles;
} openblas_product;

// The part of CBLAS that is used here, as cblas.h has it where an index is an int.
enum { ROW_MAJOR = 101, AS_IT_IS = 111, TRANSPOSED = 112 };
typedef void sgemm_function(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a,
                            int lda, const float *b, int ldb, float beta, float *c, int ldc);

static sgemm_function *sgemm;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    static const char *const names[] = {
        "libopenblas.so.0", "libopenblas.so", "libopenblas.dylib", "/opt/homebrew/opt/openblas/lib/libopenblas.dylib"};
    void *library = NULL;
    for (size_t i = 0; !library && i < sizeof names / sizeof *names; i++) library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    void (*set_threads)(int);
    int (*end_threads)(void);
    *(void **)&set_threads = dlsym(library, "openblas_set_num_threads");
    *(void **)&end_threads = dlsym(library, "blas_thread_shutdown_");
    *(void **)&sgemm = dlsym(library, "cblas_sgemm");
    if (!set_threads) sgemm = NULL;
    if (!sgemm) return;
    set_threads(1);
    // Its own end of its threads, which turn over `sched_yield` for a tenth of a second after loading. Not in every build of it.
    if (end_threads) end_threads();
}

bool vitrail_openblas_is_here(void) {
    pthread_once(&once, load);
    return sgemm != NULL;
}

static void multiply_tile(void *context, int part, int parts) {
    (void)parts;
    const openblas_product *product = context;
    const vitrail_product_args *args = product->args;
    const int64_t row_tile = part % product->row_tiles, column_tile = part / product->row_tiles;
    const int64_t row = args->m * row_tile / product->row_tiles;
    const int64_t rows = args->m * (row_tile + 1) / product->row_tiles - row;
    const int64_t column = args->n * column_tile / product->column_tiles;
    const int64_t columns = args->n * (column_tile + 1) / product->column_tiles - column;
    float *c = args->c + row * args->ldc + column;
    sgemm(ROW_MAJOR, args->transpose_a ? TRANSPOSED : AS_IT_IS, args->transpose_b ? TRANSPOSED : AS_IT_IS, (int)rows,
          (int)columns, (int)args->k, args->alpha, product->a + (args->transpose_a ? row : row * product->lda),
          (int)product->lda, product->b + (args->transpose_b ? column * product->ldb : column), (int)product->ldb,
          args->accumulate ? 1.0f : 0.0f, c, (int)args->ldc);
    if (!args->bias) return;
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < columns; j++) c[i * args->ldc + j] += args->bias[column + j];
    }
}

typedef struct {
    float *out;
    const void *in;
    int64_t rows, columns, stride;
    product_source source;
} conversion;

static void convert_part(void *context, int part, int parts) {
    const conversion *work = context;
    for (int64_t i = work->rows * part / parts; i < work->rows * (part + 1) / parts; i++) {
        for (int64_t j = 0; j < work->columns; j++) {
            work->out[i * work->columns + j] = source_value(work->in, i * work->stride + j, work->source);
        }
    }
}

/// The operand as float32: itself, or a converted copy in `*copy`.
static bool convert(vitrail_pool *pool, const void *in, vitrail_element type, vitrail_element precision,
                    int64_t rows, int64_t columns, int64_t *stride, const float **out, float **copy) {
    *out = in;
    *copy = NULL;
    if (type == VITRAIL_FLOAT32 && precision == VITRAIL_FLOAT32) return true;
    *copy = vitrail_pool_borrow(pool, (size_t)(rows * columns) * sizeof(float));
    if (!*copy) return false;
    conversion work = {*copy, in, rows, columns, *stride,
                       type == VITRAIL_BFLOAT16 ? SOURCE_BFLOAT16 : SOURCE_ROUNDED};
    vitrail_pool_run(pool, convert_part, &work, vitrail_pool_threads(pool));
    *out = *copy;
    *stride = columns;
    return true;
}

bool product_openblas(vitrail_pool *pool, const vitrail_product_args *args) {
    openblas_product product = {.args = args, .lda = args->lda, .ldb = args->ldb};
    float *copy_a, *copy_b = NULL;
    const bool converted =
        convert(pool, args->a, args->a_type, args->precision, args->transpose_a ? args->k : args->m,
                args->transpose_a ? args->m : args->k, &product.lda, &product.a, &copy_a)
        && convert(pool, args->b, args->b_type, args->precision, args->transpose_b ? args->n : args->k,
                   args->transpose_b ? args->k : args->n, &product.ldb, &product.b, &copy_b);
    if (converted) {
        const int threads = vitrail_pool_threads(pool);
        product.row_tiles = product.column_tiles = 1;
        if (threads > 1) {
            product.row_tiles = divide_up(args->m, TILE_ROWS);
            product.column_tiles = divide_up(args->n, TILE_COLUMNS);
            while (product.row_tiles * product.column_tiles < 2 * threads && args->n / product.column_tiles > 64) {
                product.column_tiles *= 2;
            }
        }
        vitrail_pool_run_dynamic(pool, multiply_tile, &product, (int)(product.row_tiles * product.column_tiles));
    }
    vitrail_pool_return(pool, copy_b);
    vitrail_pool_return(pool, copy_a);
    return converted;
}
