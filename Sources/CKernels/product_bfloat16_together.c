// Runs of bfloat16 products: one product by itself, or several that do not depend on each other, such as the two gradients of a map.
//
// Together they are one run, so that threads meet once. Products that pack nothing begin it, behind the others' packing: nobody waits
// for what is packed, since there is something else to multiply meanwhile. Parts are taken in order, so that whoever waits
// waits for threads that are at work.

#include "product_bfloat16.h"

#include <stdatomic.h>

typedef struct {
    const product_work *works;
    int count, pack_parts;
    atomic_int packed;  // parts
} products_run;

bool product_bfloat16_by_columns(const vitrail_product_args *args, const bfloat16_kernels *kernels) {
    const bool lies_so = args->transpose_a && !args->transpose_b;
    return kernels->multiply_columns && lies_so && args->c_type == VITRAIL_FLOAT32 && !args->activates;
}

static bool begin(vitrail_pool *pool, const vitrail_product_args *args, const bfloat16_kernels *kernels, bool is_last,
                  product_work *work) {
    if (product_bfloat16_by_columns(args, kernels)) {
        return product_bfloat16_begin_columns(pool, args, kernels, is_last, work);
    }
    return product_bfloat16_begin(pool, args, kernels, work);
}

bool product_native_bfloat16(vitrail_pool *pool, const vitrail_product_args *args, const bfloat16_kernels *kernels) {
    product_work work;
    if (!begin(pool, args, kernels, true, &work)) return false;
    if (work.pack_parts > 0) vitrail_pool_run_dynamic(pool, work.pack, work.context, work.pack_parts);
    vitrail_pool_run_dynamic(pool, work.multiply, work.context, work.parts);
    vitrail_pool_return(pool, work.context);
    return true;
}

static void wait_for_packing(const products_run *run) {
    for (int turn = 1; atomic_load_explicit(&run->packed, memory_order_acquire) < run->pack_parts; turn++) take_turn(turn);
}

static void run_part(void *context, int part, int parts) {
    (void)parts;
    products_run *run = context;
    for (int i = 0; i < run->count; i++) {
        const product_work *work = &run->works[i];
        if (part < work->pack_parts) {
            work->pack(work->context, part, work->pack_parts);
            atomic_fetch_add_explicit(&run->packed, 1, memory_order_release);
            return;
        }
        part -= work->pack_parts;
    }
    for (int i = 0; i < run->count; i++) {
        const product_work *work = &run->works[i];
        if (part < work->parts) {
            if (work->pack_parts > 0) wait_for_packing(run);
            work->multiply(work->context, part, work->parts);
            return;
        }
        part -= work->parts;
    }
}

bool product_bfloat16_together(vitrail_pool *pool, const vitrail_product_args *args, int count, const bfloat16_kernels *kernels) {
    product_work works[VITRAIL_PRODUCTS_TOGETHER];
    products_run run = {.works = works};
    int parts = 0;
    bool has_begun = true;
    for (int by_columns = 1; by_columns >= 0; by_columns--) {
        for (int i = 0; i < count && has_begun; i++) {
            if (product_bfloat16_by_columns(&args[i], kernels) != (by_columns == 1)) continue;
            product_work *work = &works[run.count];
            has_begun = begin(pool, &args[i], kernels, run.count == count - 1, work);
            if (!has_begun) break;
            run.count++;
            run.pack_parts += work->pack_parts;
            parts += work->pack_parts + work->parts;
        }
    }
    if (has_begun) vitrail_pool_run_dynamic(pool, run_part, &run, parts);
    for (int i = 0; i < run.count; i++) vitrail_pool_return(pool, works[i].context);
    return has_begun;
}
