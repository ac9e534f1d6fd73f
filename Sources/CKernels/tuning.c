// Weights that tuning methods keep as codes. Loops in tuning_tasks.h.
#include "kernel_table.h"

void vitrail_widen_codes(
    vitrail_pool *pool, const vitrail_codes *codes, void *destination, bool is_narrow, ptrdiff_t count) {
    if (count <= 0) return;
    float pairs[512];
    codes_args args = {
        .of = codes,
        .codes = codes->codes,
        .destination = destination,
        .is_narrow = is_narrow,
        .count = count,
    };
    if (codes->values) {
        for (int byte = 0; byte < 256; byte++) {
            pairs[2 * byte] = codes->values[byte >> 4];
            pairs[2 * byte + 1] = codes->values[byte & 15];
        }
        args.values = codes->values;
        args.pairs = pairs;
    }
    vitrail_pool_run(pool, vitrail_kernels()->widen_codes, &args, vitrail_parts(pool, count, VITRAIL_GRAIN));
}
