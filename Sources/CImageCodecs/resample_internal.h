// What the resampler and its loops share; not part of the module.
#pragma once

#include "resampler.h"

#include <stdbool.h>

enum {
    LANES = 16,           // rows of a block
    PRECISION_BITS = 22,  // fractional bits of a coefficient: 32 - 8 for the pixel - 2 for overshoot
};

// One direction. The taps of an output are whole groups of four source pixels (a "quad", 32 bits), counted from
// `origin`; coefficients of pixels that the filter does not reach are 0.
typedef struct {
    uint32_t in_size, out_size, start, count;  // the outputs start ..< start + count of out_size
    vitrail_filter filter;
    int encoding;                              // what `packed` holds: the kernels' number, 0 before
    uint32_t origin, extent;                   // source pixels origin ..< origin + extent are needed
    uint32_t *first, *quads, *offset;          // [padded count]; offset into the arrays below, in quads
    int32_t *coefficients;                     // [quads, 4]
    uint32_t *packed;                          // [quads, 4]: for the kernels in use
    size_t output_capacity, quad_capacity;
} resample_axis;

// Computes the axis, unless it already holds it. The outputs are padded to a multiple of four by ones without taps.
// 0, or 1 when memory is out.
int vitrail_axis_prepare(
    resample_axis *axis, vitrail_filter filter, uint32_t in_size, uint32_t out_size, uint32_t start, uint32_t count);
void vitrail_axis_free(resample_axis *axis);

// Quads of a block are [3 channels, quads, LANES]; of the picture between the passes [row quads, 3 channels, columns].
typedef struct {
    int number;
    // Rewrites the coefficients for these loops; false when one of them does not fit.
    bool (*encode)(const int32_t *coefficients, size_t quads, uint32_t *packed);
    // 16 rows (the same pointer may stand several times) to quads; `bytes` may be read from each pointer.
    void (*pack)(const uint8_t *const *rows, size_t bytes, uint32_t quads, uint32_t *block);
    // Writes 4 rows of quads, `row_stride` apart, channels `columns` apart.
    void (*horizontal)(
        const resample_axis *axis, const uint32_t *block, uint32_t quads, uint32_t *out, size_t row_stride,
        size_t columns);
    // Output row `y` of one channel; `columns` (a multiple of 16) bytes are written.
    void (*vertical)(
        const resample_axis *axis, uint32_t y, const uint32_t *in, size_t row_stride, size_t columns, uint8_t *out);
} resample_kernels;

extern const resample_kernels vitrail_resample_kernels_portable;
#if defined(__x86_64__)
extern const resample_kernels vitrail_resample_kernels_avx2, vitrail_resample_kernels_avx512;
#endif

// acc is a sum of pixel x coefficient; wraps are undone by the final one, so unsigned arithmetic is right.
static inline uint8_t vitrail_round_and_clip(uint32_t acc) {
    int32_t value = (int32_t)(acc + (1u << (PRECISION_BITS - 1))) >> PRECISION_BITS;
    return value < 0 ? 0 : value > 255 ? 255 : (uint8_t)value;
}
