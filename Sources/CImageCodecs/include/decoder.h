// Decoding PNG and JPEG bytes to 8-bit RGB rows.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { VITRAIL_MESSAGE_CAPACITY = 256 };

typedef enum {
    VITRAIL_CODEC_PNG = 1,
    VITRAIL_CODEC_JPEG = 2,
} vitrail_codec;

// Why a call did not succeed; the message has the words.
typedef enum {
    VITRAIL_DECODE_OK = 0,
    VITRAIL_DECODE_CORRUPT = 1,      // the bytes are damaged, truncated or of an unsupported kind
    VITRAIL_DECODE_OVER_LIMIT = 2,   // a limit of the options would be passed
    VITRAIL_DECODE_NO_MEMORY = 3,    // an allocation failed
} vitrail_decode_status;

typedef struct {
    uint32_t maximum_width;          // pixels, as stored in the file
    uint32_t maximum_height;
    uint64_t maximum_pixels;         // width x height
    uint64_t maximum_working_bytes;  // memory beside the output (coefficients of progressive files, interlaced rows)
    uint32_t maximum_scans;          // of a progressive JPEG file
    uint32_t scale_denominator;      // JPEG only: 1, 2, 4 or 8; the output has ceil(size / denominator) pixels
    int32_t drops_alpha;             // 0: composite on white, 1: ignore the alpha channel and tRNS
} vitrail_decode_options;

// A file being decoded. `bytes` given to open must stay valid until close.
typedef struct vitrail_decoder vitrail_decoder;

// Reads the header and checks it against the limits; nothing of the picture's size is allocated before that.
// On success *decoder is to be closed; on failure it is NULL and message (VITRAIL_MESSAGE_CAPACITY bytes) says why.
vitrail_decode_status vitrail_decoder_open(
    vitrail_codec codec, const uint8_t *bytes, size_t count, const vitrail_decode_options *options,
    vitrail_decoder **decoder, char *message);

// Size in pixels of what read_rows delivers (after scaling, before EXIF orientation).
uint32_t vitrail_decoder_width(const vitrail_decoder *decoder);
uint32_t vitrail_decoder_height(const vitrail_decoder *decoder);

// Decodes the next `rows` rows (no more than remain) into out: rows of width x 3 bytes, R G B, `stride` bytes apart.
// With the last row the rest of the file is read and checked too.
vitrail_decode_status vitrail_decoder_read_rows(
    vitrail_decoder *decoder, uint8_t *out, size_t stride, uint32_t rows, char *message);

void vitrail_decoder_close(vitrail_decoder *decoder);
