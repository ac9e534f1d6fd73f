// Encoding 8-bit RGB to PNG and JPEG in memory.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef enum {
    VITRAIL_SUBSAMPLING_444 = 0,
    VITRAIL_SUBSAMPLING_422 = 1,
    VITRAIL_SUBSAMPLING_420 = 2,
} vitrail_subsampling;

// Both return 0 and a malloc'ed buffer in *out (free it with vitrail_encoded_free), or 1 and a message of at most
// VITRAIL_MESSAGE_CAPACITY bytes. pixels: height rows of width x 3 bytes without padding.
int vitrail_png_encode(
    const uint8_t *pixels, uint32_t width, uint32_t height, int compression_level,
    uint8_t **out, size_t *out_count, char *message);

int vitrail_jpeg_encode(
    const uint8_t *pixels, uint32_t width, uint32_t height, int quality, vitrail_subsampling subsampling,
    int progressive, uint8_t **out, size_t *out_count, char *message);

void vitrail_encoded_free(uint8_t *bytes);
