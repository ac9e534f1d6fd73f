// The eight EXIF orientations.
#pragma once

#include <stdint.h>

// Turns and mirrors `in` (height rows of width x 3 bytes) to how it is meant to be seen.
// orientation 1...8; for 5...8 the output has `width` rows of `height` pixels. in and out must not overlap.
void vitrail_apply_orientation(
    const uint8_t *in, uint32_t width, uint32_t height, int orientation, uint8_t *out);
