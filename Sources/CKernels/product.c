// One entrance for every matrix product: the choice of the engine, and how fast it is.

#include "product_bfloat16.h"
#include "quantized_product.h"

#include <time.h>

static vitrail_products_engine engine_in_use(vitrail_products_engine wanted) {
    if (wanted == VITRAIL_PRODUCTS_AUTOMATIC && vitrail_cpu() < VITRAIL_CPU_AVX2) wanted = VITRAIL_PRODUCTS_OPENBLAS;
    return wanted == VITRAIL_PRODUCTS_OPENBLAS && vitrail_openblas_is_here() ? wanted : VITRAIL_PRODUCTS_NATIVE;
}

bool vitrail_products_in_bfloat16(void) {
    return engine_in_use(VITRAIL_PRODUCTS_AUTOMATIC) == VITRAIL_PRODUCTS_NATIVE && bfloat16_kernels_in_use();
}

bool vitrail_products_take_codes(void) {
    // What tiles would gain has not been measured.
    return vitrail_products_in_bfloat16() && vitrail_cpu() < VITRAIL_CPU_AMX;
}

bool vitrail_products_in_integers(void) {
    // Tiles of bfloat16 are the faster, widening included.
    return vitrail_cpu() >= VITRAIL_CPU_AVX512_VNNI && vitrail_cpu() < VITRAIL_CPU_AMX;
}

static bool is_quantized(vitrail_element type) { return type >= VITRAIL_INT4_GROUPS && type < VITRAIL_CODES; }

bool vitrail_product_finishes(const vitrail_product_args *args) {
    if (is_quantized(args->b_type)) return true;
    return args->precision == VITRAIL_BFLOAT16 && args->k > 0 && engine_in_use(args->engine) == VITRAIL_PRODUCTS_NATIVE
           && bfloat16_kernels_in_use() && product_bfloat16_visits(args, bfloat16_kernels_in_use()) == 1;
}

bool vitrail_product(vitrail_pool *pool, const vitrail_product_args *args) {
    if (args->m <= 0 || args->n <= 0) return true;
    if (is_quantized(args->b_type)) return product_quantized(pool, args);
    if (args->k > 0 && engine_in_use(args->engine) == VITRAIL_PRODUCTS_OPENBLAS) {
        if (!args->addend) return product_openblas(pool, args);
        for (int64_t row = 0; row < args->m; row++) {
            memcpy(args->c + row * args->ldc, args->addend + row * args->ld_addend, (size_t)args->n * sizeof(float));
        }
        vitrail_product_args onto = *args;
        onto.addend = NULL;
        onto.accumulate = true;
        return product_openblas(pool, &onto);
    }
    if (args->k > 0 && args->precision == VITRAIL_BFLOAT16) {
        const bfloat16_kernels *kernels = bfloat16_kernels_in_use();
        if (kernels) return product_native_bfloat16(pool, args, kernels);
    } else if (args->k > 0) {
        const bfloat16_kernels *kernels = slices_kernels_for(args);
        if (kernels) return product_native_bfloat16(pool, args, kernels);
    }
    return product_native_float32(pool, args, float32_kernels_in_use());
}

/// Whether this product's parts can share a run with others'.
static bool joins_others(const vitrail_product_args *args, const bfloat16_kernels *kernels) {
    return args->m > 0 && args->n > 0 && args->k > 0 && !is_quantized(args->b_type) && args->precision == VITRAIL_BFLOAT16
           && engine_in_use(args->engine) == VITRAIL_PRODUCTS_NATIVE && kernels->multiply_columns;
}

bool vitrail_products(vitrail_pool *pool, const vitrail_product_args *args, int count) {
    const bfloat16_kernels *kernels = bfloat16_kernels_in_use();
    bool together = kernels && count > 1 && count <= VITRAIL_PRODUCTS_TOGETHER && vitrail_pool_crew(pool) > 1;
    for (int i = 0; i < count && together; i++) together = joins_others(&args[i], kernels);
    if (together) return product_bfloat16_together(pool, args, count, kernels);
    for (int i = 0; i < count; i++) {
        if (!vitrail_product(pool, &args[i])) return false;
    }
    return true;
}

// MARK: Measurement

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

double vitrail_product_gflops(vitrail_pool *pool, const vitrail_product_args *args, double duration) {
    vitrail_product_args measured = *args;
    measured.lda = args->transpose_a ? args->m : args->k;
    measured.ldb = args->transpose_b ? args->k : args->n;
    measured.ldc = args->n;
    measured.alpha = 1;
    const size_t a_count = (size_t)(args->m * args->k), b_count = (size_t)(args->n * args->k);
    const size_t c_count = (size_t)(args->m * args->n);
    float *a = vitrail_pool_borrow(NULL, a_count * sizeof(float));
    float *b = vitrail_pool_borrow(NULL, b_count * sizeof(float));
    float *c = vitrail_pool_borrow(NULL, c_count * sizeof(float));
    double best = 0;
    if (a && b && c) {
        // Read as bfloat16 these are small numbers too.
        for (size_t i = 0; i < a_count; i++) a[i] = (float)(i % 61) / 64 - 0.5f;
        for (size_t i = 0; i < b_count; i++) b[i] = (float)(i % 53) / 64 - 0.5f;
        memset(c, 0, c_count * sizeof(float));
        measured.a = a;
        measured.b = b;
        measured.c = c;
        const double operations = 2.0 * (double)args->m * (double)args->n * (double)args->k;
        const int repeats = operations < 2e7 ? (int)(2e7 / (operations + 1)) + 1 : 1;
        const double end = seconds() + duration;
        int runs = 0;
        do {
            const double start = seconds();
            for (int i = 0; i < repeats; i++) vitrail_product(pool, &measured);
            const double rate = operations * repeats / (seconds() - start) * 1e-9;
            // The first run meets cold caches and sleeping threads.
            if (runs++ > 0 && rate > best) best = rate;
        } while (runs < 3 || seconds() < end);
    }
    vitrail_pool_return(NULL, c);
    vitrail_pool_return(NULL, b);
    vitrail_pool_return(NULL, a);
    return best;
}
