// Resizing 8-bit RGB in fixed point, equal to Pillow's Image.resize in every byte.
//
// Pillow (src/libImaging/Resample.c) convolves in two passes, along rows and along columns, with coefficients of 22
// fractional bits, and rounds to 8 bits after each pass. All sums are integers, so any order within a pass and any vector
// width give the same bytes; the order of the passes shows, and follows Pillow 13 (see vitrail_columns_first). Here a
// block of 16 source rows is resampled at once, one row a vector lane, and what comes out is laid out so that the second
// pass runs along vectors too.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Pillow's numbers, which preprocessor_config.json uses.
typedef enum {
    VITRAIL_FILTER_LANCZOS = 1,
    VITRAIL_FILTER_BILINEAR = 2,
    VITRAIL_FILTER_BICUBIC = 3,
    VITRAIL_FILTER_BOX = 4,
    VITRAIL_FILTER_HAMMING = 5,
} vitrail_filter;

// The whole source is resized to out_width x out_height, of which only a window is computed. All sizes 1...2^20.
typedef struct {
    uint32_t in_width, in_height;
    uint32_t out_width, out_height;
    uint32_t window_x, window_y, window_width, window_height;
    vitrail_filter filter;
} vitrail_resample_geometry;

// Whether Pillow 13 convolves along columns before rows: when the height shrinks, and by more than twice what the width
// shrinks. Found by comparing 14,676 resizes whose bytes tell the two orders apart; Pillow 12 and older never do.
int vitrail_columns_first(uint32_t in_width, uint32_t in_height, uint32_t out_width, uint32_t out_height);

// Coefficients and buffers, kept from picture to picture; one thread at a time.
typedef struct vitrail_resampler vitrail_resampler;

// NULL when memory is out.
vitrail_resampler *vitrail_resampler_create(void);
void vitrail_resampler_destroy(vitrail_resampler *resampler);

// Starts a picture. 0, or 1 when memory is out.
int vitrail_resampler_begin(vitrail_resampler *resampler, const vitrail_resample_geometry *geometry);

// The source rows that the window needs.
uint32_t vitrail_resampler_first_row(const vitrail_resampler *resampler);
uint32_t vitrail_resampler_row_count(const vitrail_resampler *resampler);

// Takes the next `count` needed rows: in_width x 3 bytes each, `stride` bytes apart. `count` is a multiple of 16 in all
// calls but the last; rows beyond the needed ones are not looked at.
void vitrail_resampler_push(vitrail_resampler *resampler, const uint8_t *rows, size_t stride, uint32_t count);

// After the last row: the window as rows of R G B, `stride` bytes apart, or as three planes [3, height, width] of
// table[channel * 256 + value].
void vitrail_resampler_finish_rgb(vitrail_resampler *resampler, uint8_t *out, size_t stride);
void vitrail_resampler_finish_table(vitrail_resampler *resampler, const float *table, float *out);

// For tests: 0 = pick the best, 1 = portable, 2 = avx2, 3 = avx512vnni. Returns 1 when this machine has no such loops.
int vitrail_resampler_force_kernels(vitrail_resampler *resampler, int choice);

// Nearest neighbour, as Pillow's Image.resize(…, NEAREST); whole pictures of R G B without padding.
void vitrail_resize_nearest(
    const uint8_t *in, uint32_t in_width, uint32_t in_height, uint8_t *out, uint32_t out_width, uint32_t out_height);
