// PNG decoding with libpng: every colour type, depth and interlacing to 8-bit RGB. Colour management chunks are ignored.
#include "decoder_internal.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

typedef struct {
    png_structp png;
    png_infop info;
    jmp_buf escape;
    char *message;              // of the call that is running
    vitrail_decode_status failure;
    const uint8_t *bytes;
    size_t count, offset;
    uint32_t width, height, rows_read;
    bool interlaced, has_alpha, failed;
    uint8_t *row;               // width x 4 bytes: one row, when there is alpha
    uint8_t *whole;             // all rows of an interlaced picture, width x (3 or 4) bytes each
} png_state;

static void fail(png_state *state, vitrail_decode_status status) {
    state->failure = status;
    longjmp(state->escape, 1);
}

static void on_error(png_structp png, png_const_charp text) {
    png_state *state = png_get_error_ptr(png);
    vitrail_set_message(state->message, "%s", text);
    fail(state, VITRAIL_DECODE_CORRUPT);
}

// libpng only warns of damage that it finds behind the last row (a wrong checksum of the image data, for one). More
// data than the picture needs does no harm.
static void on_warning(png_structp png, png_const_charp text) {
    if (strncmp(text, "IDAT: ", 6) != 0) return;
    if (strcmp(text + 6, "Extra compressed data") == 0 || strcmp(text + 6, "Too much image data") == 0) return;
    on_error(png, text);
}

static void read_bytes(png_structp png, png_bytep out, size_t count) {
    png_state *state = png_get_io_ptr(png);
    if (count > state->count - state->offset) {
        vitrail_set_message(state->message, "the file ends in the middle (after %zu bytes)", state->count);
        fail(state, VITRAIL_DECODE_CORRUPT);
    }
    memcpy(out, state->bytes + state->offset, count);
    state->offset += count;
}

static void close_state(void *opaque) {
    png_state *state = opaque;
    if (!state) return;
    png_destroy_read_struct(&state->png, &state->info, NULL);
    free(state->row);
    free(state->whole);
    free(state);
}

// c * a + 255 * (255 - a), over 255 and rounded by the integer formula.
static void composite_on_white(const uint8_t *in, uint8_t *out, uint32_t width) {
    for (uint32_t x = 0; x < width; x++) {
        unsigned alpha = in[4 * x + 3], white = 255 * (255 - alpha) + 127;
        for (int c = 0; c < 3; c++) out[3 * x + c] = (uint8_t)((in[4 * x + c] * alpha + white) / 255);
    }
}

static void read_interlaced(png_state *state) {
    size_t row_bytes = (size_t)state->width * (state->has_alpha ? 4 : 3);
    for (int pass = 0; pass < 7; pass++)
        for (uint32_t y = 0; y < state->height; y++)
            png_read_row(state->png, state->whole + y * row_bytes, NULL);
}

static vitrail_decode_status read_picture_rows(
    void *opaque, uint8_t *out, size_t stride, uint32_t rows, char *message) {
    png_state *state = opaque;
    state->message = message;
    if (state->failed) {
        vitrail_set_message(message, "reading went on after an error");
        return VITRAIL_DECODE_CORRUPT;
    }
    size_t row_bytes = (size_t)state->width * (state->has_alpha ? 4 : 3);
    if (state->interlaced && !state->whole) {
        // Zeroed: rows that no pass reaches must not show what the memory held before.
        state->whole = calloc(state->height, row_bytes);
        if (!state->whole) {
            state->failed = true;
            vitrail_set_message(message, "out of memory");
            return VITRAIL_DECODE_NO_MEMORY;
        }
    }
    if (setjmp(state->escape)) {
        state->failed = true;
        return state->failure;
    }
    if (state->interlaced && state->rows_read == 0) read_interlaced(state);
    for (uint32_t i = 0; i < rows; i++, out += stride) {
        const uint8_t *row;
        if (state->interlaced) {
            row = state->whole + (state->rows_read + i) * row_bytes;
            if (!state->has_alpha) memcpy(out, row, row_bytes);
        } else {
            uint8_t *target = state->has_alpha ? state->row : out;
            png_read_row(state->png, target, NULL);
            row = target;
        }
        if (state->has_alpha) composite_on_white(row, out, state->width);
    }
    state->rows_read += rows;
    if (state->rows_read == state->height) png_read_end(state->png, NULL);
    return VITRAIL_DECODE_OK;
}

static const vitrail_decoder_table png_table = {read_picture_rows, close_state};

// Everything that is neither pixels, palette nor transparency is skipped, so that no text or profile is unpacked.
static void skip_other_chunks(png_structp png) {
    static const png_byte names[] =
        "bKGD\0cHRM\0cICP\0cLLI\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0mDCV\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0sTER\0"
        "tEXt\0tIME\0zTXt";
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, names, sizeof names / 5);
}

// Deflate packs at most 1,032 to one: a header that promises more is wrong, or the file is cut short.
static bool could_hold(const png_state *state, int depth, int channels) {
    uint64_t bits = (uint64_t)state->width * (uint64_t)state->height * (uint64_t)(depth * channels);
    return bits / 8 / 1032 <= state->count;
}

vitrail_decode_status vitrail_png_open(
    const uint8_t *bytes, size_t count, const vitrail_decode_options *options, vitrail_decoder *decoder,
    char *message) {
    png_state *state = calloc(1, sizeof *state);
    if (!state) {
        vitrail_set_message(message, "out of memory");
        return VITRAIL_DECODE_NO_MEMORY;
    }
    state->message = message;
    state->bytes = bytes;
    state->count = count;
    if (setjmp(state->escape)) {
        vitrail_decode_status failure = state->failure;
        close_state(state);
        return failure;
    }
    state->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, state, on_error, on_warning);
    state->info = state->png ? png_create_info_struct(state->png) : NULL;
    if (!state->info) {
        close_state(state);
        vitrail_set_message(message, "out of memory");
        return VITRAIL_DECODE_NO_MEMORY;
    }
    png_structp png = state->png;
    png_set_read_fn(png, state, read_bytes);
    png_set_user_limits(png, 0x7fffffff, 0x7fffffff);  // the limits of the options are checked below, with better words
    png_set_chunk_malloc_max(png, 8 << 20);
    png_set_chunk_cache_max(png, 64);
    skip_other_chunks(png);
    png_read_info(png, state->info);

    state->width = png_get_image_width(png, state->info);
    state->height = png_get_image_height(png, state->info);
    int depth = png_get_bit_depth(png, state->info), type = png_get_color_type(png, state->info);
    vitrail_decode_status status = vitrail_check_size(state->width, state->height, options, message);
    if (status == VITRAIL_DECODE_OK && !could_hold(state, depth, png_get_channels(png, state->info))) {
        vitrail_set_message(
            message, "%zu bytes can not hold %ux%u pixels: the file is cut short or its header is wrong", count,
            (unsigned)state->width, (unsigned)state->height);
        status = VITRAIL_DECODE_CORRUPT;
    }
    bool has_transparency = png_get_valid(png, state->info, PNG_INFO_tRNS) != 0;
    state->has_alpha = ((type & PNG_COLOR_MASK_ALPHA) != 0 || has_transparency) && !options->drops_alpha;
    state->interlaced = png_get_interlace_type(png, state->info) != PNG_INTERLACE_NONE;
    uint64_t working = (uint64_t)state->width * (uint64_t)(state->has_alpha ? 4 : 3) * state->height;
    if (status == VITRAIL_DECODE_OK && state->interlaced && working > options->maximum_working_bytes) {
        vitrail_set_message(
            message, "decoding it takes %llu MB beside the pixels, more than the limit of %llu MB",
            (unsigned long long)(working >> 20), (unsigned long long)(options->maximum_working_bytes >> 20));
        status = VITRAIL_DECODE_OVER_LIMIT;
    }
    if (status != VITRAIL_DECODE_OK) {
        close_state(state);
        return status;
    }

    if (depth == 16) png_set_strip_16(png);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
    if (!(type & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(png);
    if (state->has_alpha && has_transparency) png_set_tRNS_to_alpha(png);
    if (!state->has_alpha) png_set_strip_alpha(png);
    if (state->interlaced) png_set_interlace_handling(png);
    png_read_update_info(png, state->info);
    size_t row_bytes = (size_t)state->width * (state->has_alpha ? 4 : 3);
    if (png_get_rowbytes(png, state->info) != row_bytes) png_error(png, "its colour type is not understood");
    if (state->has_alpha && !state->interlaced) {
        state->row = malloc(row_bytes);
        if (!state->row) {
            close_state(state);
            vitrail_set_message(message, "out of memory");
            return VITRAIL_DECODE_NO_MEMORY;
        }
    }
    decoder->table = &png_table;
    decoder->state = state;
    decoder->width = state->width;
    decoder->height = state->height;
    return VITRAIL_DECODE_OK;
}
