// The resampler object: geometry, buffers, choice of loops.
#include "resampler.h"

#include "normalization.h"
#include "resample_internal.h"

#include <stdlib.h>
#include <string.h>

struct vitrail_resampler {
    resample_axis horizontal, vertical;
    resample_axis early;                       // the vertical axis when columns go first; `vertical` then copies
    const resample_kernels *forced, *kernels;  // kernels: of this picture
    uint32_t in_width;
    uint32_t rows_taken;
    size_t columns, row_stride;                // padded window width; quads between two row quads
    uint32_t *block, *middle;                  // 64-byte aligned
    size_t block_capacity, middle_capacity;    // in bytes, as all capacities
    uint8_t *line;                             // [3, columns]: one output row
    size_t line_capacity;
    bool columns_first;
    uint32_t *tall;                            // columns first: [row quads, tall_columns], quads of four source rows
    size_t tall_columns, tall_capacity;
    uint8_t *short_rows;                       // [LANES, tall_columns]: rows between the passes
    size_t short_capacity;
};

int vitrail_columns_first(uint32_t in_width, uint32_t in_height, uint32_t out_width, uint32_t out_height) {
    return out_height < in_height
        && 2 * ((int64_t)in_width - (int64_t)out_width) < (int64_t)in_height - (int64_t)out_height;
}

static const resample_kernels *best_kernels(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return &vitrail_resample_kernels_avx512;
    if (__builtin_cpu_supports("avx2")) return &vitrail_resample_kernels_avx2;
#endif
    return &vitrail_resample_kernels_portable;
}

int vitrail_resampler_force_kernels(vitrail_resampler *resampler, int choice) {
    resampler->forced = NULL;
    if (choice == 0) return 0;
    if (choice > best_kernels()->number) return 1;
    resampler->forced = &vitrail_resample_kernels_portable;
#if defined(__x86_64__)
    if (choice == 2) resampler->forced = &vitrail_resample_kernels_avx2;
    if (choice == 3) resampler->forced = &vitrail_resample_kernels_avx512;
#endif
    return 0;
}

vitrail_resampler *vitrail_resampler_create(void) { return calloc(1, sizeof(vitrail_resampler)); }

void vitrail_resampler_destroy(vitrail_resampler *resampler) {
    if (!resampler) return;
    vitrail_axis_free(&resampler->horizontal);
    vitrail_axis_free(&resampler->vertical);
    vitrail_axis_free(&resampler->early);
    free(resampler->tall);
    free(resampler->short_rows);
    free(resampler->block);
    free(resampler->middle);
    free(resampler->line);
    free(resampler);
}

static int reserve(void *buffer, size_t *capacity, size_t bytes) {
    void **at = buffer;
    if (bytes <= *capacity) return 0;
    free(*at);
    bytes = (bytes + 63) / 64 * 64;
    *at = aligned_alloc(64, bytes);
    *capacity = *at ? bytes : 0;
    if (*at) memset(*at, 0, bytes);  // padding lanes are computed on, and never shown
    return *at == NULL;
}

static bool encode_axis(resample_axis *axis, const resample_kernels *kernels) {
    if (axis->encoding == kernels->number) return true;
    uint32_t last = axis->count - 1;
    size_t quads = (size_t)axis->offset[last] + axis->quads[last];
    bool fits = kernels->encode(axis->coefficients, quads, axis->packed);
    axis->encoding = fits ? kernels->number : 0;
    return fits;
}

static bool encode_axes(vitrail_resampler *r, const resample_kernels *kernels) {
    r->kernels = kernels;
    return encode_axis(&r->horizontal, kernels) && encode_axis(&r->vertical, kernels)
        && (!r->columns_first || encode_axis(&r->early, kernels));
}

int vitrail_resampler_begin(vitrail_resampler *r, const vitrail_resample_geometry *g) {
    r->columns_first = vitrail_columns_first(g->in_width, g->in_height, g->out_width, g->out_height);
    uint32_t in_height = r->columns_first ? g->out_height : g->in_height;
    if (vitrail_axis_prepare(&r->horizontal, g->filter, g->in_width, g->out_width, g->window_x, g->window_width)
        || vitrail_axis_prepare(&r->vertical, g->filter, in_height, g->out_height, g->window_y, g->window_height))
        return 1;
    if (r->columns_first
        && vitrail_axis_prepare(&r->early, g->filter, g->in_height, g->out_height, r->vertical.origin, r->vertical.extent))
        return 1;
    if (!encode_axes(r, r->forced ? r->forced : best_kernels())) encode_axes(r, &vitrail_resample_kernels_portable);

    r->in_width = g->in_width;
    r->rows_taken = 0;
    r->columns = (g->window_width + 15) / 16 * (size_t)16;
    r->row_stride = 3 * r->columns;
    size_t quads = (r->horizontal.extent + 3) / 4, blocks = (r->vertical.extent + LANES - 1) / LANES;
    if (reserve(&r->block, &r->block_capacity, 3 * quads * LANES * 4)) return 1;
    if (reserve(&r->middle, &r->middle_capacity, blocks * LANES * r->row_stride)) return 1;
    if (reserve(&r->line, &r->line_capacity, 3 * r->columns)) return 1;
    if (!r->columns_first) return 0;
    r->tall_columns = ((size_t)r->horizontal.extent * 3 + 15) / 16 * 16;
    return reserve(&r->tall, &r->tall_capacity, (r->early.extent + 3) / 4 * r->tall_columns * 4)
        || reserve(&r->short_rows, &r->short_capacity, LANES * r->tall_columns);
}

static const resample_axis *source_rows(const vitrail_resampler *r) {
    return r->columns_first ? &r->early : &r->vertical;
}

uint32_t vitrail_resampler_first_row(const vitrail_resampler *r) { return source_rows(r)->origin; }

uint32_t vitrail_resampler_row_count(const vitrail_resampler *r) { return source_rows(r)->extent; }

// The pass along rows for up to 16 rows, the first of which is row `row` of those needed. Each pointer is to the first
// pixel that the axis needs, of `bytes` that may be read.
static void push_block(vitrail_resampler *r, const uint8_t *rows, size_t stride, size_t bytes, uint32_t row, uint32_t count) {
    const uint8_t *pointers[LANES];
    for (uint32_t i = 0; i < LANES; i++)  // the last row stands in for missing ones; its copies have weight 0
        pointers[i] = rows + (i < count ? i : count - 1) * stride;
    uint32_t quads = (r->horizontal.extent + 3) / 4;
    r->kernels->pack(pointers, bytes, quads, r->block);
    uint32_t *out = r->middle + (size_t)(row / 4) * r->row_stride;
    r->kernels->horizontal(&r->horizontal, r->block, quads, out, r->row_stride, r->columns);
}

// The pass along columns over all rows, a block of outputs at a time, each then passed along rows.
static void resample_columns(vitrail_resampler *r) {
    for (uint32_t y = 0; y < r->early.count; y += LANES) {
        uint32_t count = r->early.count - y < LANES ? r->early.count - y : LANES;
        for (uint32_t i = 0; i < count; i++)
            r->kernels->vertical(
                &r->early, y + i, r->tall, r->tall_columns, r->tall_columns, r->short_rows + i * r->tall_columns);
        push_block(r, r->short_rows, r->tall_columns, r->tall_columns, y, count);
    }
}

// Four rows (the last may stand in for missing ones) side by side, a byte each.
static void interleave_rows(
    const uint8_t *restrict a, const uint8_t *restrict b, const uint8_t *restrict c, const uint8_t *restrict d,
    size_t bytes, uint32_t *restrict out) {
    for (size_t i = 0; i < bytes; i++)
        out[i] = a[i] | (uint32_t)b[i] << 8 | (uint32_t)c[i] << 16 | (uint32_t)d[i] << 24;
}

void vitrail_resampler_push(vitrail_resampler *r, const uint8_t *rows, size_t stride, uint32_t count) {
    uint32_t needed = source_rows(r)->extent;
    if (count > needed - r->rows_taken) count = needed - r->rows_taken;
    rows += (size_t)r->horizontal.origin * 3;
    size_t bytes = (size_t)(r->in_width - r->horizontal.origin) * 3;
    while (count > 0) {
        uint32_t taken = count < LANES ? count : LANES;
        if (r->columns_first) {
            for (uint32_t i = 0; i < taken; i += 4) {
                const uint8_t *four[4];
                for (uint32_t j = 0; j < 4; j++) four[j] = rows + (i + j < taken ? i + j : taken - 1) * stride;
                uint32_t *out = r->tall + (size_t)((r->rows_taken + i) / 4) * r->tall_columns;
                interleave_rows(four[0], four[1], four[2], four[3], (size_t)r->horizontal.extent * 3, out);
            }
        } else {
            push_block(r, rows, stride, bytes, r->rows_taken, taken);
        }
        r->rows_taken += taken;
        rows += taken * stride;
        count -= taken;
    }
    if (r->columns_first && r->rows_taken == needed) resample_columns(r);
}

// Output row y of all channels into r->line.
static void compute_line(vitrail_resampler *r, uint32_t y) {
    for (size_t c = 0; c < 3; c++)
        r->kernels->vertical(
            &r->vertical, y, r->middle + c * r->columns, r->row_stride, r->columns, r->line + c * r->columns);
}

void vitrail_resampler_finish_rgb(vitrail_resampler *r, uint8_t *out, size_t stride) {
    const uint8_t *line = r->line;
    for (uint32_t y = 0; y < r->vertical.count; y++, out += stride) {
        compute_line(r, y);
        for (size_t x = 0; x < r->horizontal.count; x++) {
            out[3 * x] = line[x];
            out[3 * x + 1] = line[r->columns + x];
            out[3 * x + 2] = line[2 * r->columns + x];
        }
    }
}

void vitrail_resampler_finish_table(vitrail_resampler *r, const float *table, float *out) {
    size_t width = r->horizontal.count, plane = width * r->vertical.count;
    for (uint32_t y = 0; y < r->vertical.count; y++, out += width) {
        compute_line(r, y);
        for (size_t c = 0; c < 3; c++)
            vitrail_table_lookup(r->line + c * r->columns, width, table + 256 * c, out + c * plane);
    }
}

void vitrail_resize_nearest(
    const uint8_t *in, uint32_t in_width, uint32_t in_height, uint8_t *out, uint32_t out_width, uint32_t out_height) {
    // Pillow steps by repeated addition, which rounds differently from a product.
    double step_x = (double)in_width / out_width, step_y = (double)in_height / out_height;
    double at_y = step_y * 0.5;
    for (uint32_t y = 0; y < out_height; y++, at_y += step_y) {
        uint32_t from_y = at_y < in_height ? (uint32_t)at_y : in_height - 1;
        const uint8_t *row = in + (size_t)from_y * in_width * 3;
        double at_x = step_x * 0.5;
        for (uint32_t x = 0; x < out_width; x++, at_x += step_x, out += 3) {
            uint32_t from_x = at_x < in_width ? (uint32_t)at_x : in_width - 1;
            memcpy(out, row + (size_t)from_x * 3, 3);
        }
    }
}
