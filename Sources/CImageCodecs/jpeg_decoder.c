// JPEG decoding with libjpeg-turbo: accurate integer inverse DCT and interpolated chroma, as Pillow does it.
#include "decoder_internal.h"
#include "jpeg_eighth.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

typedef struct {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    char *message;           // of the call that is running
    vitrail_decode_status failure;
    uint32_t maximum_scans;
    bool started, failed;
    uint8_t *cmyk_row;       // width x 4 bytes, for four-component files
    uint8_t *eighth;         // the whole picture at an eighth of its size, where that was decoded without libjpeg
    uint32_t next_row;       // of `eighth`
} jpeg_state;

static void on_error(j_common_ptr info) {
    jpeg_state *state = info->client_data;
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    vitrail_set_message(state->message, "%s", text);
    state->failure = info->err->msg_code == JERR_OUT_OF_MEMORY ? VITRAIL_DECODE_NO_MEMORY : VITRAIL_DECODE_CORRUPT;
    longjmp(state->escape, 1);
}

// libjpeg goes on after damage and fills in grey; here damage is an error. What stays allowed does not touch the
// pixels: stray bytes between header segments, an unknown JFIF version or Adobe transform.
static void on_message(j_common_ptr info, int level) {
    if (level >= 0) return;
    jpeg_state *state = info->client_data;
    int code = info->err->msg_code;
    if (code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM) return;
    if (code == JWRN_EXTRANEOUS_DATA && !state->started) return;
    on_error(info);
}

static void no_output(j_common_ptr info) { (void)info; }

// Each scan of a progressive file walks all coefficients: thousands of empty scans are a way to hang a reader.
static void on_progress(j_common_ptr common) {
    jpeg_state *state = common->client_data;
    if ((uint32_t)state->info.input_scan_number > state->maximum_scans) {
        vitrail_set_message(state->message, "it has more than %u scans", (unsigned)state->maximum_scans);
        state->failure = VITRAIL_DECODE_OVER_LIMIT;
        longjmp(state->escape, 1);
    }
}

// What the header promises against what the file can hold, before anything of the picture's size is allocated.
static vitrail_decode_status check_work(
    jpeg_state *state, size_t count, const vitrail_decode_options *options, char *message) {
    const struct jpeg_decompress_struct *info = &state->info;
    uint64_t blocks = 0;
    for (int c = 0; c < info->num_components; c++) {
        const jpeg_component_info *component = &info->comp_info[c];
        blocks += (uint64_t)component->width_in_blocks * component->height_in_blocks;
    }
    if (jpeg_has_multiple_scans((j_decompress_ptr)info) && blocks * sizeof(JBLOCK) > options->maximum_working_bytes) {
        vitrail_set_message(
            message, "decoding it takes %llu MB beside the pixels, more than the limit of %llu MB",
            (unsigned long long)(blocks * sizeof(JBLOCK) >> 20),
            (unsigned long long)(options->maximum_working_bytes >> 20));
        return VITRAIL_DECODE_OVER_LIMIT;
    }
    // A Huffman-coded block takes at least one bit (its DC code). Arithmetic coding can do with less.
    if (!info->arith_code && blocks / 8 > count) {
        vitrail_set_message(
            message, "%zu bytes can not hold %ux%u pixels: the file is cut short or its header is wrong", count,
            (unsigned)info->image_width, (unsigned)info->image_height);
        return VITRAIL_DECODE_CORRUPT;
    }
    return VITRAIL_DECODE_OK;
}

static void close_state(void *opaque) {
    jpeg_state *state = opaque;
    if (!state) return;
    jpeg_destroy_decompress(&state->info);
    free(state->cmyk_row);
    free(state->eighth);
    free(state);
}

// Components are stored inverted, by Adobe's convention (Pillow assumes it for each CMYK file).
static void cmyk_to_rgb(const uint8_t *in, uint8_t *out, uint32_t width) {
    for (uint32_t x = 0; x < width; x++) {
        int key = in[4 * x + 3];  // 255 - K
        for (int c = 0; c < 3; c++) {
            int product = (255 - in[4 * x + c]) * key + 128;
            out[3 * x + c] = (uint8_t)(key - ((product + (product >> 8)) >> 8));
        }
    }
}

/// Decodes the picture without libjpeg where it is small enough and of the usual kind. What is damaged or unusual goes to libjpeg,
/// from the start.
static void decode_eighth(jpeg_state *state) {
    struct jpeg_decompress_struct *info = &state->info;
    if (info->scale_denom != 8 || !vitrail_jpeg_eighth_knows(info)) return;
    state->eighth = malloc((size_t)info->output_width * info->output_height * 3);
    if (!state->eighth) return;
    if (vitrail_jpeg_eighth(info, info->src->next_input_byte, info->src->bytes_in_buffer, state->eighth)) return;
    free(state->eighth);
    state->eighth = NULL;
}

static vitrail_decode_status read_picture_rows(
    void *opaque, uint8_t *out, size_t stride, uint32_t rows, char *message) {
    jpeg_state *state = opaque;
    struct jpeg_decompress_struct *info = &state->info;
    state->message = message;
    if (state->failed) {
        vitrail_set_message(message, "reading went on after an error");
        return VITRAIL_DECODE_CORRUPT;
    }
    if (setjmp(state->escape)) {
        state->failed = true;
        return state->failure;
    }
    if (!state->started) {
        state->started = true;
        decode_eighth(state);
        if (!state->eighth) jpeg_start_decompress(info);
    }
    if (state->eighth) {
        const size_t width = (size_t)info->output_width * 3;
        for (uint32_t row = 0; row < rows && state->next_row < info->output_height; row++, state->next_row++) {
            memcpy(out + row * stride, state->eighth + state->next_row * width, width);
        }
        return VITRAIL_DECODE_OK;
    }
    JDIMENSION last = info->output_scanline + rows;
    while (info->output_scanline < last) {
        JSAMPROW pointers[16];
        if (state->cmyk_row) {
            pointers[0] = state->cmyk_row;
            jpeg_read_scanlines(info, pointers, 1);
            cmyk_to_rgb(state->cmyk_row, out, info->output_width);
            out += stride;
        } else {
            JDIMENSION batch = last - info->output_scanline;
            if (batch > 16) batch = 16;
            for (JDIMENSION i = 0; i < batch; i++) pointers[i] = out + i * stride;
            out += jpeg_read_scanlines(info, pointers, batch) * stride;
        }
    }
    if (info->output_scanline == info->output_height) jpeg_finish_decompress(info);
    return VITRAIL_DECODE_OK;
}

static const vitrail_decoder_table jpeg_table = {read_picture_rows, close_state};

vitrail_decode_status vitrail_jpeg_open(
    const uint8_t *bytes, size_t count, const vitrail_decode_options *options, vitrail_decoder *decoder,
    char *message) {
    jpeg_state *state = calloc(1, sizeof *state);
    if (!state) {
        vitrail_set_message(message, "out of memory");
        return VITRAIL_DECODE_NO_MEMORY;
    }
    struct jpeg_decompress_struct *info = &state->info;
    state->message = message;
    state->maximum_scans = options->maximum_scans;
    info->err = jpeg_std_error(&state->errors);
    info->client_data = state;
    state->errors.error_exit = on_error;
    state->errors.emit_message = on_message;
    state->errors.output_message = no_output;
    if (setjmp(state->escape)) {
        vitrail_decode_status failure = state->failure;
        close_state(state);
        return failure;
    }
    jpeg_create_decompress(info);
    state->progress.progress_monitor = on_progress;
    info->progress = &state->progress;
    jpeg_mem_src(info, bytes, count);
    jpeg_read_header(info, TRUE);

    vitrail_decode_status status = vitrail_check_size(info->image_width, info->image_height, options, message);
    if (status == VITRAIL_DECODE_OK) status = check_work(state, count, options, message);
    int components = info->num_components;
    if (status == VITRAIL_DECODE_OK && components != 1 && components != 3 && components != 4) {
        vitrail_set_message(message, "it has %d components; 1, 3 and 4 are known", components);
        status = VITRAIL_DECODE_CORRUPT;
    }
    if (status != VITRAIL_DECODE_OK) {
        close_state(state);
        return status;
    }

    info->scale_num = 1;
    info->scale_denom = options->scale_denominator;
    info->out_color_space = components == 4 ? JCS_CMYK : JCS_RGB;
    info->dct_method = JDCT_ISLOW;
    info->do_fancy_upsampling = TRUE;
    jpeg_calc_output_dimensions(info);
    if (components == 4) {
        state->cmyk_row = malloc((size_t)info->output_width * 4);
        if (!state->cmyk_row) {
            close_state(state);
            vitrail_set_message(message, "out of memory");
            return VITRAIL_DECODE_NO_MEMORY;
        }
    }
    decoder->table = &jpeg_table;
    decoder->state = state;
    decoder->width = info->output_width;
    decoder->height = info->output_height;
    return VITRAIL_DECODE_OK;
}
