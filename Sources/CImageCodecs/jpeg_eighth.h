// JPEG files at an eighth of their size; not part of the module.
#ifndef JPEG_EIGHTH_H
#define JPEG_EIGHTH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jpeglib.h>

/// Whether `vitrail_jpeg_eighth` knows the kind of file whose header `info` has read: baseline, Huffman codes, one scan, grey or
/// YCbCr, chroma as large as luma or half as large in both directions.
bool vitrail_jpeg_eighth_knows(const struct jpeg_decompress_struct *info);

/// Decodes the file at an eighth of its size, pixel for pixel what libjpeg makes of it, into RGB rows of `output_width` pixels.
/// `bytes` [count] follow the header of the scan. False where anything is unusual: damage, markers in the scan, trailing
/// data, memory short; `out` is then undefined, and libjpeg decides.
bool vitrail_jpeg_eighth(
    const struct jpeg_decompress_struct *info, const uint8_t *bytes, size_t count, uint8_t *out);

#endif
