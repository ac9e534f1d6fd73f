// Dispatch to the codecs, and the checks they share.
#include "decoder_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void vitrail_set_message(char *message, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, VITRAIL_MESSAGE_CAPACITY, format, arguments);
    va_end(arguments);
}

vitrail_decode_status vitrail_check_size(
    uint64_t width, uint64_t height, const vitrail_decode_options *options, char *message) {
    if (width == 0 || height == 0) {
        vitrail_set_message(message, "its size is %" PRIu64 "x%" PRIu64 " pixels", width, height);
        return VITRAIL_DECODE_CORRUPT;
    }
    if (width > options->maximum_width || height > options->maximum_height) {
        vitrail_set_message(
            message, "its size is %" PRIu64 "x%" PRIu64 " pixels, more than the limit of %" PRIu32 "x%" PRIu32,
            width, height, options->maximum_width, options->maximum_height);
        return VITRAIL_DECODE_OVER_LIMIT;
    }
    // Both factors fit 32 bits here, so the product fits 64.
    if (width * height > options->maximum_pixels) {
        vitrail_set_message(
            message, "it has %" PRIu64 " pixels (%" PRIu64 "x%" PRIu64 "), more than the limit of %" PRIu64,
            width * height, width, height, options->maximum_pixels);
        return VITRAIL_DECODE_OVER_LIMIT;
    }
    return VITRAIL_DECODE_OK;
}

vitrail_decode_status vitrail_decoder_open(
    vitrail_codec codec, const uint8_t *bytes, size_t count, const vitrail_decode_options *options,
    vitrail_decoder **result, char *message) {
    *result = NULL;
    message[0] = 0;
    vitrail_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder) {
        vitrail_set_message(message, "out of memory");
        return VITRAIL_DECODE_NO_MEMORY;
    }
    vitrail_decode_status status = codec == VITRAIL_CODEC_PNG
        ? vitrail_png_open(bytes, count, options, decoder, message)
        : vitrail_jpeg_open(bytes, count, options, decoder, message);
    if (status != VITRAIL_DECODE_OK) {
        free(decoder);
        return status;
    }
    *result = decoder;
    return VITRAIL_DECODE_OK;
}

uint32_t vitrail_decoder_width(const vitrail_decoder *decoder) { return decoder->width; }

uint32_t vitrail_decoder_height(const vitrail_decoder *decoder) { return decoder->height; }

vitrail_decode_status vitrail_decoder_read_rows(
    vitrail_decoder *decoder, uint8_t *out, size_t stride, uint32_t rows, char *message) {
    message[0] = 0;
    if (rows > decoder->height - decoder->rows_read) {
        vitrail_set_message(message, "rows were asked for beyond the last one");
        return VITRAIL_DECODE_CORRUPT;
    }
    vitrail_decode_status status = decoder->table->read_rows(decoder->state, out, stride, rows, message);
    if (status == VITRAIL_DECODE_OK) decoder->rows_read += rows;
    return status;
}

void vitrail_decoder_close(vitrail_decoder *decoder) {
    if (!decoder) return;
    decoder->table->close(decoder->state);
    free(decoder);
}
