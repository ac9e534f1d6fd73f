// What the two codecs share; not part of the module.
#pragma once

#include "decoder.h"

typedef struct {
    vitrail_decode_status (*read_rows)(void *state, uint8_t *out, size_t stride, uint32_t rows, char *message);
    void (*close)(void *state);
} vitrail_decoder_table;

struct vitrail_decoder {
    const vitrail_decoder_table *table;
    void *state;
    uint32_t width, height, rows_read;
};

// Each fills decoder->{table, state, width, height} or leaves state NULL and says why.
vitrail_decode_status vitrail_png_open(
    const uint8_t *bytes, size_t count, const vitrail_decode_options *options, vitrail_decoder *decoder,
    char *message);
vitrail_decode_status vitrail_jpeg_open(
    const uint8_t *bytes, size_t count, const vitrail_decode_options *options, vitrail_decoder *decoder,
    char *message);

// Checks width, height and their product; writes the message when one is too large.
vitrail_decode_status vitrail_check_size(
    uint64_t width, uint64_t height, const vitrail_decode_options *options, char *message);

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void vitrail_set_message(char *message, const char *format, ...);
