// The scale of a block of codes; not part of the module.
#ifndef CODE_SCALE_H
#define CODE_SCALE_H

#include "vitrail_kernels.h"

__attribute__((always_inline)) static inline float code_scale(const vitrail_codes *codes, ptrdiff_t block) {
    return codes->scales ? codes->scales[block]
                         : codes->scale_values[codes->scale_codes[block]] * codes->outer_scales[block / 256] + codes->offset;
}

#endif
