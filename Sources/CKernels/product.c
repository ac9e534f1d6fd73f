// One entrance for every matrix product: the choice of the engine, and the cases without work.

#include "product_bfloat16.h"

// Set when a back end is created; read by products.
static vitrail_products_engine chosen_engine = VITRAIL_PRODUCTS_AUTOMATIC;

void vitrail_products_set_engine(vitrail_products_engine engine) { chosen_engine = engine; }

vitrail_products_engine vitrail_products_engine_in_use(void) {
    if (chosen_engine != VITRAIL_PRODUCTS_AUTOMATIC) return chosen_engine;
    return vitrail_cpu() >= VITRAIL_CPU_AVX2 ? VITRAIL_PRODUCTS_NATIVE : VITRAIL_PRODUCTS_OPENBLAS;
}

bool vitrail_product(vitrail_pool *pool, const vitrail_product_args *args) {
    if (args->m <= 0 || args->n <= 0) return true;
    vitrail_products_engine engine = args->engine;
    if (engine == VITRAIL_PRODUCTS_AUTOMATIC) engine = vitrail_products_engine_in_use();
    if (engine == VITRAIL_PRODUCTS_OPENBLAS && args->k > 0) return product_openblas(pool, args);
    if (args->precision == VITRAIL_BFLOAT16 && args->k > 0) {
        const bfloat16_kernels *kernels = bfloat16_kernels_in_use();
        if (kernels) return product_native_bfloat16(pool, args, kernels);
    }
    return product_native_float32(pool, args);
}
