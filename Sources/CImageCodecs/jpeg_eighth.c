// Baseline JPEG at an eighth of its size. A block of luma is then its mean alone, so that nearly all of a file is codes to be
// passed over: tables tell how far two or three of them reach at once, where libjpeg takes them one by one.
#include "jpeg_eighth.h"

#include "jpeg_codes.h"

#include <stdlib.h>

/// Number of the last restart marker, and bytes that no unit's codes take: six blocks of 64 codes of 31 bits are less.
enum { LAST_RESTART = 7, SLACK = 4096 };

// The loop over a picture's codes is compiled for shifts by any register's bits too, where the linker can choose at load;
// not under the thread sanitizer, which is not there yet when the linker asks.
#if !defined(__has_feature)
#define __has_feature(name) 0
#endif
#if defined(__linux__) && defined(__x86_64__) && !__has_feature(thread_sanitizer)
#define CLONED __attribute__((target_clones("arch=haswell", "default")))
#else
#define CLONED
#endif

/// The scan without stuffed bytes and restart markers.
typedef struct {
    uint8_t *bytes;
    size_t *ends;     // of restart intervals, in bytes
    size_t intervals;
} scan_data;

// MARK: Blocks

/// The difference of a block's mean to the one before; false at what is no code.
INLINE bool read_mean(bit_reader *reader, const code_table *table, int *mean) {
    refill(reader);
    code_entry entry = table->single[reader->window >> (64 - LOOKUP)];
    if (entry.bits == 0) entry = long_code(table, reader->window, false);
    if (entry.bits == 0) return false;
    *mean += extend(reader->window, entry.bits, entry.symbol);
    drop(reader, entry.bits);
    return true;
}

INLINE bool pass_rest(bit_reader *reader, const code_table *table) {
    for (int k = 1; k < BLOCK;) {
        refill(reader);
        // Two steps a filling: 2 · (12 + 15) bits at most, since only the last code of an entry reaches beyond 12 bits.
        for (int step = 0; step < 2 && k < BLOCK; step++) {
            const uint64_t start = reader->window >> (64 - LOOKUP);
            code_entry entry = table->many[start];
            if (k + entry.before >= BLOCK) entry = table->single[start];
            if (entry.bits == 0) {
                refill(reader);
                entry = long_code(table, reader->window, true);
                if (entry.bits == 0) return false;
                drop(reader, entry.bits);
                refill(reader);
            } else {
                drop(reader, entry.bits);
            }
            k += entry.after;
        }
    }
    return true;
}

static const uint8_t natural_order[BLOCK] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
};

INLINE bool read_rest(bit_reader *reader, const code_table *table, int16_t *block) {
    for (int k = 1; k < BLOCK; k++) {
        refill(reader);
        code_entry entry = table->single[reader->window >> (64 - LOOKUP)];
        if (entry.bits == 0) entry = long_code(table, reader->window, true);
        if (entry.bits == 0) return false;
        const int size = entry.symbol & 15, run = entry.symbol >> 4;
        if (size == 0 && run != 15) {
            drop(reader, entry.bits);
            return true;
        }
        k += run;
        // libjpeg leaves a coefficient beyond the block out of account.
        if (size > 0 && k < BLOCK) block[natural_order[k]] = (int16_t)extend(reader->window, entry.bits, size);
        drop(reader, entry.bits);
    }
    return true;
}

// MARK: Pixels

/// A sample from what the inverse transform gives, wrapped as libjpeg's table does.
INLINE uint8_t sample(int32_t value) {
    value &= 1023;
    value = (value >= 512 ? value - 1024 : value) + 128;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

INLINE int32_t descale(int32_t value, int bits) { return (value + (1 << (bits - 1))) >> bits; }

INLINE uint8_t mean_sample(int mean, int quantum) { return sample(descale(mean * quantum, 3)); }

/// The four quarters of a block, by the arithmetic of libjpeg's reduced inverse transform.
static void quarter_samples(const int16_t *block, const uint16_t *quanta, uint8_t *out, ptrdiff_t stride) {
    enum { C7 = -5906, C5 = 6967, C3 = -10426, C1 = 29692 };
    static const uint8_t columns[5] = {0, 1, 3, 5, 7};
    int32_t work[2][8];
    for (int i = 0; i < 5; i++) {
        const int c = columns[i];
        const int32_t mean = block[c] * quanta[c];
        const int32_t one = block[8 + c] * quanta[8 + c], three = block[24 + c] * quanta[24 + c];
        const int32_t five = block[40 + c] * quanta[40 + c], seven = block[56 + c] * quanta[56 + c];
        const uint32_t odd = (uint32_t)seven * (uint32_t)C7 + (uint32_t)five * C5 + (uint32_t)three * (uint32_t)C3
                             + (uint32_t)one * C1;
        const uint32_t even = (uint32_t)mean << 15;
        work[0][c] = descale((int32_t)(even + odd), 13);
        work[1][c] = descale((int32_t)(even - odd), 13);
    }
    for (int y = 0; y < 2; y++) {
        const int32_t *w = work[y];
        const uint32_t odd = (uint32_t)w[7] * (uint32_t)C7 + (uint32_t)w[5] * C5 + (uint32_t)w[3] * (uint32_t)C3
                             + (uint32_t)w[1] * C1;
        const uint32_t even = (uint32_t)w[0] << 15;
        out[y * stride] = sample(descale((int32_t)(even + odd), 20));
        out[y * stride + 1] = sample(descale((int32_t)(even - odd), 20));
    }
}

INLINE uint8_t clamped(int value) { return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value); }

static void write_row(const uint8_t *const planes[3], bool is_grey, uint32_t width, uint8_t *out) {
    for (uint32_t x = 0; x < width; x++, out += 3) {
        const int luma = planes[0][x];
        if (is_grey) {
            out[0] = out[1] = out[2] = (uint8_t)luma;
            continue;
        }
        const int blue = planes[1][x] - 128, red = planes[2][x] - 128;
        out[0] = clamped(luma + ((91881 * red + 32768) >> 16));
        out[1] = clamped(luma + ((-22554 * blue - 46802 * red + 32768) >> 16));
        out[2] = clamped(luma + ((116130 * blue + 32768) >> 16));
    }
}

// MARK: The scan

/// Takes stuffing and restart markers out of the scan. False unless it ends with the file's end marker.
static bool read_scan(const uint8_t *bytes, size_t count, size_t restarts, scan_data *scan) {
    uint8_t *out = scan->bytes;
    const uint8_t *end = bytes + count;
    scan->intervals = 0;
    for (;;) {
        const uint8_t *marker = memchr(bytes, 0xff, (size_t)(end - bytes));
        if (!marker || end - marker < 2) return false;
        memcpy(out, bytes, (size_t)(marker - bytes));
        out += marker - bytes;
        bytes = marker + 2;
        if (marker[1] == 0) {
            *out++ = 0xff;
            continue;
        }
        const int number = marker[1] - JPEG_RST0;
        scan->ends[scan->intervals++] = (size_t)(out - scan->bytes);
        if (marker[1] == JPEG_EOI) {
            memset(out, 0, SLACK);
            return scan->intervals == restarts + 1;
        }
        if (scan->intervals > restarts || number != (int)((scan->intervals - 1) & LAST_RESTART)) return false;
    }
}

typedef struct {
    const struct jpeg_decompress_struct *info;
    code_table *means[3], *rests[3];
    uint8_t *planes[3];       // one row of units each
    ptrdiff_t strides[3];
    bool halves_chroma;
} eighth_decoder;

/// The blocks of one unit (MCU), at column `unit`.
INLINE bool read_unit(const eighth_decoder *decoder, bit_reader *reader, uint32_t unit, int means[3]) {
    const struct jpeg_decompress_struct *info = decoder->info;
    const int across = decoder->halves_chroma ? 2 : 1;
    for (int y = 0; y < across; y++) {
        for (int x = 0; x < across; x++) {
            if (!read_mean(reader, decoder->means[0], &means[0]) || !pass_rest(reader, decoder->rests[0])) return false;
            decoder->planes[0][y * decoder->strides[0] + unit * (uint32_t)across + (uint32_t)x] =
                mean_sample((int16_t)means[0], info->quant_tbl_ptrs[info->comp_info[0].quant_tbl_no]->quantval[0]);
        }
    }
    for (int c = 1; c < info->num_components; c++) {
        const uint16_t *quanta = info->quant_tbl_ptrs[info->comp_info[c].quant_tbl_no]->quantval;
        uint8_t *out = decoder->planes[c] + unit * (uint32_t)across;
        if (!read_mean(reader, decoder->means[c], &means[c])) return false;
        if (!decoder->halves_chroma) {
            if (!pass_rest(reader, decoder->rests[c])) return false;
            *out = mean_sample((int16_t)means[c], quanta[0]);
            continue;
        }
        int16_t block[BLOCK] = {(int16_t)means[c]};
        if (!read_rest(reader, decoder->rests[c], block)) return false;
        quarter_samples(block, quanta, out, decoder->strides[c]);
    }
    return true;
}

CLONED static bool read_units(const eighth_decoder *decoder, const scan_data *scan, uint8_t *out) {
    const struct jpeg_decompress_struct *info = decoder->info;
    const uint32_t side = decoder->halves_chroma ? 2 : 1;
    const uint32_t across = (info->image_width + 8 * side - 1) / (8 * side);
    const uint32_t down = (info->image_height + 8 * side - 1) / (8 * side);
    const uint32_t width = (info->image_width + 7) / 8, height = (info->image_height + 7) / 8;
    bit_reader reader = {.bytes = scan->bytes};
    int means[3] = {0};
    size_t interval = 0;
    uint32_t left = info->restart_interval;
    for (uint32_t row = 0; row < down; row++) {
        for (uint32_t unit = 0; unit < across; unit++) {
            if (info->restart_interval > 0 && left == 0) {
                // All whole bytes of the interval are used up.
                if ((taken(&reader) + 7) / 8 != scan->ends[interval]) return false;
                reader = (bit_reader){.bytes = scan->bytes, .position = scan->ends[interval++]};
                memset(means, 0, sizeof means);
                left = info->restart_interval;
            }
            left--;
            if (!read_unit(decoder, &reader, unit, means)) return false;
            if (taken(&reader) > scan->ends[interval] * 8) return false;
        }
        for (uint32_t y = 0; y < side && row * side + y < height; y++) {
            const uint8_t *const planes[3] = {
                decoder->planes[0] + y * decoder->strides[0],
                info->num_components == 3 ? decoder->planes[1] + y * decoder->strides[1] : NULL,
                info->num_components == 3 ? decoder->planes[2] + y * decoder->strides[2] : NULL,
            };
            write_row(planes, info->num_components == 1, width, out);
            out += 3 * (size_t)width;
        }
    }
    return (taken(&reader) + 7) / 8 == scan->ends[interval];
}

bool vitrail_jpeg_eighth_knows(const struct jpeg_decompress_struct *info) {
    const int components = info->num_components;
    if (info->progressive_mode || info->arith_code || info->data_precision != 8) return false;
    if (info->comps_in_scan != components || info->Ss != 0 || info->Se != BLOCK - 1) return false;
    if (info->Ah != 0 || info->Al != 0) return false;
    if (components == 3 ? info->jpeg_color_space != JCS_YCbCr
                        : components != 1 || info->jpeg_color_space != JCS_GRAYSCALE) {
        return false;
    }
    const jpeg_component_info *luma = &info->comp_info[0];
    // A picture of one component has blocks, whatever its factors say.
    if (components == 3 && (luma->h_samp_factor != luma->v_samp_factor || luma->h_samp_factor > 2)) return false;
    for (int c = 0; c < components; c++) {
        const jpeg_component_info *component = &info->comp_info[c];
        // The numbers come from the file as they are.
        if (component->quant_tbl_no < 0 || component->quant_tbl_no >= NUM_QUANT_TBLS) return false;
        if (component->dc_tbl_no < 0 || component->dc_tbl_no >= NUM_HUFF_TBLS) return false;
        if (component->ac_tbl_no < 0 || component->ac_tbl_no >= NUM_HUFF_TBLS) return false;
        if (info->cur_comp_info[c] != component || !info->quant_tbl_ptrs[component->quant_tbl_no]) return false;
        if (!info->dc_huff_tbl_ptrs[component->dc_tbl_no] || !info->ac_huff_tbl_ptrs[component->ac_tbl_no]) return false;
        if (c > 0 && (component->h_samp_factor != 1 || component->v_samp_factor != 1)) return false;
    }
    return true;
}

bool vitrail_jpeg_eighth(
    const struct jpeg_decompress_struct *info, const uint8_t *bytes, size_t count, uint8_t *out) {
    eighth_decoder decoder = {
        .info = info,
        .halves_chroma = info->num_components == 3 && info->comp_info[0].h_samp_factor == 2,
    };
    const size_t side = decoder.halves_chroma ? 2 : 1;
    const size_t across = (info->image_width + 8 * side - 1) / (8 * side);
    const size_t units = across * ((info->image_height + 8 * side - 1) / (8 * side));
    const size_t restarts = info->restart_interval > 0 ? (units - 1) / info->restart_interval : 0;
    code_table *tables = malloc(6 * sizeof *tables);
    scan_data scan = {.bytes = malloc(count + SLACK), .ends = malloc((restarts + 1) * sizeof(size_t))};
    uint8_t *planes = malloc(3 * side * side * across);
    bool is_read = tables && scan.bytes && scan.ends && planes;
    is_read = is_read && read_scan(bytes, count, restarts, &scan);
    for (int c = 0; is_read && c < info->num_components; c++) {
        const jpeg_component_info *component = &info->comp_info[c];
        decoder.means[c] = &tables[2 * c];
        decoder.rests[c] = &tables[2 * c + 1];
        decoder.strides[c] = (ptrdiff_t)(side * across);
        decoder.planes[c] = planes + (size_t)c * side * side * across;
        is_read = make_table(info->dc_huff_tbl_ptrs[component->dc_tbl_no], false, decoder.means[c])
                  && make_table(info->ac_huff_tbl_ptrs[component->ac_tbl_no], true, decoder.rests[c]);
    }
    is_read = is_read && read_units(&decoder, &scan, out);
    free(planes);
    free(scan.ends);
    free(scan.bytes);
    free(tables);
    return is_read;
}
