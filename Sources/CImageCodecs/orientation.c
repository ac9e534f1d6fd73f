#include "orientation.h"

#include <stddef.h>
#include <string.h>

void vitrail_apply_orientation(
    const uint8_t *in, uint32_t width, uint32_t height, int orientation, uint8_t *out) {
    const ptrdiff_t w = width, h = height;
    ptrdiff_t start = 0, column = 3, row = 3 * w;  // bytes in `in`: first pixel, step to the right, step down
    ptrdiff_t out_width = w, out_height = h;
    switch (orientation) {
    case 2: start = 3 * (w - 1), column = -3; break;
    case 3: start = 3 * (w * h - 1), column = -3, row = -3 * w; break;
    case 4: start = 3 * w * (h - 1), row = -3 * w; break;
    case 5: column = 3 * w, row = 3; break;
    case 6: start = 3 * w * (h - 1), column = -3 * w, row = 3; break;
    case 7: start = 3 * (w * h - 1), column = -3 * w, row = -3; break;
    case 8: start = 3 * (w - 1), column = 3 * w, row = -3; break;
    default: memcpy(out, in, (size_t)(3 * w * h)); return;
    }
    if (orientation >= 5) out_width = h, out_height = w;
    // Tiles keep both sides of a transposition in the cache.
    enum { TILE = 32 };
    for (ptrdiff_t ty = 0; ty < out_height; ty += TILE)
        for (ptrdiff_t tx = 0; tx < out_width; tx += TILE)
            for (ptrdiff_t y = ty; y < ty + TILE && y < out_height; y++) {
                ptrdiff_t right = tx + TILE < out_width ? tx + TILE : out_width;
                const uint8_t *from = in + start + y * row + tx * column;
                uint8_t *to = out + (y * out_width + tx) * 3;
                for (ptrdiff_t x = tx; x < right; x++, from += column, to += 3)
                    to[0] = from[0], to[1] = from[1], to[2] = from[2];
            }
}
