// From 8-bit pixels to the floats a vision tower takes.
#pragma once

#include <stddef.h>
#include <stdint.h>

// in: height rows of width x 3 bytes, `stride` bytes apart. out: [3, height, width] = table[channel * 256 + value].
void vitrail_planes_from_rgb(
    const uint8_t *in, size_t stride, uint32_t width, uint32_t height, const float *table, float *out);

// count values of one channel.
void vitrail_table_lookup(const uint8_t *in, size_t count, const float *table, float *out);
