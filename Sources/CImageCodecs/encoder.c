#include "encoder.h"

#include "decoder_internal.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

void vitrail_encoded_free(uint8_t *bytes) { free(bytes); }

// Bytes that grow as they are written.
typedef struct {
    uint8_t *bytes;
    size_t count, capacity;
} byte_sink;

// Room for `more` bytes behind count; false when memory is out.
static bool reserve(byte_sink *sink, size_t more) {
    if (more <= sink->capacity - sink->count) return true;
    size_t capacity = sink->capacity * 2 + more + 4096;
    uint8_t *grown = realloc(sink->bytes, capacity);
    if (!grown) return false;
    sink->bytes = grown;
    sink->capacity = capacity;
    return true;
}

// PNG

typedef struct {
    jmp_buf escape;
    char *message;
    byte_sink sink;
} png_output;

static void png_on_error(png_structp png, png_const_charp text) {
    png_output *output = png_get_error_ptr(png);
    vitrail_set_message(output->message, "%s", text);
    longjmp(output->escape, 1);
}

static void png_on_warning(png_structp png, png_const_charp text) { (void)png, (void)text; }

static void png_append(png_structp png, png_bytep bytes, size_t count) {
    png_output *output = png_get_io_ptr(png);
    if (!reserve(&output->sink, count)) png_error(png, "out of memory");
    memcpy(output->sink.bytes + output->sink.count, bytes, count);
    output->sink.count += count;
}

static void png_flush_nothing(png_structp png) { (void)png; }

int vitrail_png_encode(
    const uint8_t *pixels, uint32_t width, uint32_t height, int compression_level,
    uint8_t **out, size_t *out_count, char *message) {
    png_output output = {.message = message};
    png_infop info = NULL;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &output, png_on_error, png_on_warning);
    if (png) info = png_create_info_struct(png);
    if (!info) {
        png_destroy_write_struct(&png, &info);
        vitrail_set_message(message, "out of memory");
        return 1;
    }
    if (setjmp(output.escape)) {
        png_destroy_write_struct(&png, &info);
        free(output.sink.bytes);
        return 1;
    }
    png_set_write_fn(png, &output, png_append, png_flush_nothing);
    png_set_compression_level(png, compression_level);
    png_set_IHDR(
        png, info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
        PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (uint32_t y = 0; y < height; y++) png_write_row(png, pixels + (size_t)y * width * 3);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    *out = output.sink.bytes;
    *out_count = output.sink.count;
    return 0;
}

// JPEG

typedef struct {
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr destination;
    jmp_buf escape;
    char *message;
    byte_sink sink;
} jpeg_output;

// libjpeg's own memory destination leaves a dangling pointer after an error, so this is another one. libjpeg fills all
// the room it was given before it asks for more.
static void jpeg_give_room(j_compress_ptr info) {
    jpeg_output *output = info->client_data;
    if (!reserve(&output->sink, 1 << 16)) {
        vitrail_set_message(output->message, "out of memory");
        longjmp(output->escape, 1);
    }
    output->destination.next_output_byte = output->sink.bytes + output->sink.count;
    output->destination.free_in_buffer = output->sink.capacity - output->sink.count;
}

static boolean jpeg_room_is_full(j_compress_ptr info) {
    jpeg_output *output = info->client_data;
    output->sink.count = output->sink.capacity;
    jpeg_give_room(info);
    return TRUE;
}

static void jpeg_end(j_compress_ptr info) {
    jpeg_output *output = info->client_data;
    output->sink.count = output->sink.capacity - output->destination.free_in_buffer;
}

static void jpeg_on_error(j_common_ptr info) {
    jpeg_output *output = info->client_data;
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    vitrail_set_message(output->message, "%s", text);
    longjmp(output->escape, 1);
}

static void jpeg_no_output(j_common_ptr info) { (void)info; }

int vitrail_jpeg_encode(
    const uint8_t *pixels, uint32_t width, uint32_t height, int quality, vitrail_subsampling subsampling,
    int progressive, uint8_t **out, size_t *out_count, char *message) {
    struct jpeg_compress_struct info;
    jpeg_output output = {.message = message};
    memset(&info, 0, sizeof info);
    info.err = jpeg_std_error(&output.errors);
    info.client_data = &output;
    output.errors.error_exit = jpeg_on_error;
    output.errors.output_message = jpeg_no_output;
    if (setjmp(output.escape)) {
        jpeg_destroy_compress(&info);
        free(output.sink.bytes);
        return 1;
    }
    jpeg_create_compress(&info);
    output.destination.init_destination = jpeg_give_room;
    output.destination.empty_output_buffer = jpeg_room_is_full;
    output.destination.term_destination = jpeg_end;
    info.dest = &output.destination;
    info.image_width = width;
    info.image_height = height;
    info.input_components = 3;
    info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    info.comp_info[0].h_samp_factor = subsampling == VITRAIL_SUBSAMPLING_444 ? 1 : 2;
    info.comp_info[0].v_samp_factor = subsampling == VITRAIL_SUBSAMPLING_420 ? 2 : 1;
    if (progressive) jpeg_simple_progression(&info);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < height) {
        JSAMPROW row = (JSAMPROW)(pixels + (size_t)info.next_scanline * width * 3);
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    *out = output.sink.bytes;
    *out_count = output.sink.count;
    return 0;
}
