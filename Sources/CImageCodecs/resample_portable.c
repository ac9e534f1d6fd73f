// The resampling loops in plain C: what other processors run, and what the vector versions are tested against.
#include "resample_internal.h"

#include <string.h>

static bool encode(const int32_t *coefficients, size_t quads, uint32_t *packed) {
    memcpy(packed, coefficients, quads * 16);
    return true;
}

static void pack(const uint8_t *const *rows, size_t bytes, uint32_t quads, uint32_t *block) {
    size_t pixels = bytes / 3;
    for (int lane = 0; lane < LANES; lane++)
        for (uint32_t q = 0; q < quads; q++)
            for (int c = 0; c < 3; c++) {
                uint32_t quad = 0;
                for (uint32_t i = 0; i < 4 && 4 * q + i < pixels; i++)
                    quad |= (uint32_t)rows[lane][3 * (4 * q + i) + (uint32_t)c] << (8 * i);
                block[((size_t)c * quads + q) * LANES + (size_t)lane] = quad;
            }
}

// Adds the four pixels of each lane's quad, each times its coefficient.
static inline void accumulate(uint32_t *restrict acc, const uint32_t *restrict in, const uint32_t *restrict k) {
    for (int lane = 0; lane < LANES; lane++)
        acc[lane] += (in[lane] & 255) * k[0] + (in[lane] >> 8 & 255) * k[1] + (in[lane] >> 16 & 255) * k[2]
            + (in[lane] >> 24) * k[3];
}

static void horizontal(
    const resample_axis *axis, const uint32_t *block, uint32_t quads, uint32_t *out, size_t row_stride,
    size_t columns) {
    for (uint32_t x = 0; x < axis->count; x++)
        for (size_t c = 0; c < 3; c++) {
            uint32_t acc[LANES] = {0};
            const uint32_t *k = axis->packed + (size_t)axis->offset[x] * 4;
            const uint32_t *in = block + (c * quads + axis->first[x]) * LANES;
            for (uint32_t q = 0; q < axis->quads[x]; q++) accumulate(acc, in + q * LANES, k + 4 * q);
            for (size_t quad = 0; quad < LANES / 4; quad++) {
                uint32_t four = 0;
                for (size_t i = 0; i < 4; i++)
                    four |= (uint32_t)vitrail_round_and_clip(acc[4 * quad + i]) << (8 * i);
                out[quad * row_stride + c * columns + x] = four;
            }
        }
}

static void vertical(
    const resample_axis *axis, uint32_t y, const uint32_t *in, size_t row_stride, size_t columns, uint8_t *out) {
    const uint32_t *k = axis->packed + (size_t)axis->offset[y] * 4;
    for (size_t x = 0; x < columns; x += LANES) {
        uint32_t acc[LANES] = {0};
        for (uint32_t q = 0; q < axis->quads[y]; q++)
            accumulate(acc, in + (axis->first[y] + q) * row_stride + x, k + 4 * q);
        for (size_t lane = 0; lane < LANES; lane++) out[x + lane] = vitrail_round_and_clip(acc[lane]);
    }
}

const resample_kernels vitrail_resample_kernels_portable = {1, encode, pack, horizontal, vertical};
