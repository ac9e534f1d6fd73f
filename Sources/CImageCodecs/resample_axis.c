// Filter coefficients, computed in double and rounded as Pillow's precompute_coeffs and normalize_coeffs_8bpc do.
#include "resample_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

static const double pi = 3.14159265358979323846;

static double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

static double bilinear(double x) {
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double hamming(double x) {
    x = fabs(x);
    if (x == 0.0) return 1.0;
    if (x >= 1.0) return 0.0;
    x *= pi;
    return sin(x) / x * (0.54f + 0.46f * cos(x));  // single precision constants, as in Pillow
}

static double bicubic(double x) {
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

static double sinc(double x) {
    if (x == 0.0) return 1.0;
    x *= pi;
    return sin(x) / x;
}

static double lanczos(double x) { return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }

static double (*const functions[])(double) = {NULL, lanczos, bilinear, bicubic, box, hamming};
static const double supports[] = {0, 3.0, 1.0, 2.0, 0.5, 1.0};

void vitrail_axis_free(resample_axis *axis) {
    free(axis->first);
    free(axis->quads);
    free(axis->offset);
    free(axis->coefficients);
    free(axis->packed);
    memset(axis, 0, sizeof *axis);
}

static int reserve_outputs(resample_axis *axis, size_t outputs) {
    if (outputs <= axis->output_capacity) return 0;
    vitrail_axis_free(axis);
    axis->first = malloc(outputs * sizeof *axis->first);
    axis->quads = malloc(outputs * sizeof *axis->quads);
    axis->offset = malloc(outputs * sizeof *axis->offset);
    if (!axis->first || !axis->quads || !axis->offset) return 1;
    axis->output_capacity = outputs;
    return 0;
}

static int reserve_quads(resample_axis *axis, size_t quads) {
    if (quads <= axis->quad_capacity) return 0;
    free(axis->coefficients);
    free(axis->packed);
    axis->coefficients = malloc(quads * 4 * sizeof *axis->coefficients);
    axis->packed = aligned_alloc(64, (quads * 16 + 63) / 64 * 64);
    axis->quad_capacity = axis->coefficients && axis->packed ? quads : 0;
    return axis->quad_capacity == 0;
}

typedef struct {
    double scale, support, inverse;
    uint32_t in_size;
} reach;

// The source pixels first ..< last that output x takes from.
static void taps(const reach *r, uint32_t x, uint32_t *first, uint32_t *last) {
    double center = (x + 0.5) * r->scale;
    int low = (int)(center - r->support + 0.5), high = (int)(center + r->support + 0.5);
    *first = low < 0 ? 0 : (uint32_t)low;
    *last = high > (int)r->in_size ? r->in_size : (uint32_t)high;
}

int vitrail_axis_prepare(
    resample_axis *axis, vitrail_filter filter, uint32_t in_size, uint32_t out_size, uint32_t start, uint32_t count) {
    if (axis->filter == filter && axis->in_size == in_size && axis->out_size == out_size && axis->start == start
        && axis->count == count)
        return 0;
    axis->filter = 0;  // not valid until the end
    double (*function)(double) = functions[filter];
    double scale = (double)in_size / out_size, filter_scale = scale < 1.0 ? 1.0 : scale;
    reach r = {scale, supports[filter] * filter_scale, 1.0 / filter_scale, in_size};
    uint32_t padded = (count + 3) / 4 * 4;
    if (reserve_outputs(axis, padded)) goto no_memory;

    // Both ends of the reach grow with x.
    uint32_t low, high, first, last;
    taps(&r, start, &low, &last);
    taps(&r, start + count - 1, &first, &high);
    axis->origin = low;
    axis->extent = high - low;
    size_t total = 0;
    for (uint32_t i = 0; i < padded; i++) {
        axis->offset[i] = (uint32_t)total;
        axis->first[i] = axis->quads[i] = 0;
        if (i >= count) continue;
        taps(&r, start + i, &first, &last);
        axis->first[i] = (first - low) / 4;
        axis->quads[i] = (last - low + 3) / 4 - axis->first[i];
        total += axis->quads[i];
    }
    if (total > UINT32_MAX / 16 || reserve_quads(axis, total)) goto no_memory;
    memset(axis->coefficients, 0, total * 16);

    size_t widest = (size_t)ceil(r.support) * 2 + 1;
    double *weights = malloc(widest * sizeof *weights);
    if (!weights) goto no_memory;
    for (uint32_t i = 0; i < count; i++) {
        taps(&r, start + i, &first, &last);
        double center = (start + i + 0.5) * scale, sum = 0.0;
        for (uint32_t x = first; x < last; x++) {
            double weight = function(((double)(int)x - center + 0.5) * r.inverse);
            weights[x - first] = weight;
            sum += weight;
        }
        int32_t *to = axis->coefficients + (size_t)axis->offset[i] * 4 + (first - low - axis->first[i] * 4);
        for (uint32_t x = 0; x < last - first; x++) {
            double weight = sum != 0.0 ? weights[x] / sum : weights[x];
            to[x] = (int32_t)((weight < 0 ? -0.5 : 0.5) + weight * (1 << PRECISION_BITS));
        }
    }
    free(weights);
    axis->in_size = in_size;
    axis->out_size = out_size;
    axis->start = start;
    axis->count = count;
    axis->encoding = 0;
    axis->filter = filter;
    return 0;

no_memory:
    vitrail_axis_free(axis);
    return 1;
}
