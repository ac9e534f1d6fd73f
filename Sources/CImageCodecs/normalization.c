#include "normalization.h"

void vitrail_table_lookup(const uint8_t *restrict in, size_t count, const float *restrict table, float *restrict out) {
    for (size_t i = 0; i < count; i++) out[i] = table[in[i]];
}

void vitrail_planes_from_rgb(
    const uint8_t *restrict in, size_t stride, uint32_t width, uint32_t height, const float *restrict table,
    float *restrict out) {
    size_t plane = (size_t)width * height;
    for (uint32_t y = 0; y < height; y++, in += stride, out += width)
        for (uint32_t x = 0; x < width; x++) {
            out[x] = table[in[3 * x]];
            out[plane + x] = table[256 + in[3 * x + 1]];
            out[2 * plane + x] = table[512 + in[3 * x + 2]];
        }
}
