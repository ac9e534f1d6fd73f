// Loops of rows.c.

INLINE void add_row(float *destination, const float *source, ptrdiff_t count) {
#pragma clang loop vectorize(assume_safety) interleave_count(4)
    for (ptrdiff_t c = 0; c < count; c++) destination[c] += source[c];
}

static void gather_rows_task(void *context, int part, int parts) {
    const index_args *a = context;
    ptrdiff_t begin, end, columns = a->destination.columns;
    vitrail_share(a->destination.rows, 1, part, parts, &begin, &end);
    for (ptrdiff_t r = begin; r < end; r++) {
        float *destination = a->destination.data + r * a->destination.stride;
        ptrdiff_t index = a->indices ? a->indices[r] : r;
        if (index < 0) {
            if (!a->accumulate) memset(destination, 0, sizeof(float) * (size_t)columns);
            continue;
        }
        const uint8_t *source = (const uint8_t *)a->table + index * a->row_bytes;
        if (!a->accumulate) {
            row_to_float(source, a->dtype, destination, columns);
        } else if (a->dtype == VITRAIL_DTYPE_FLOAT32) {
            add_row(destination, (const float *)source, columns);
        } else {
            float chunk[VITRAIL_INT8_MOST_TERMS];
            const ptrdiff_t most = is_in_blocks(a->dtype) ? terms_of(format_of(a->dtype)) : VITRAIL_INT8_STEP_TERMS;
            for (ptrdiff_t c = 0; c < columns; c += most) {
                ptrdiff_t n = columns - c < most ? columns - c : most;
                ptrdiff_t bytes = is_in_blocks(a->dtype) ? file_bytes_of(format_of(a->dtype), c) : c * 2;
                row_to_float(source + bytes, a->dtype, chunk, n);
                add_row(destination + c, chunk, n);
            }
        }
    }
}

/// A part owns a range of columns, so rows that meet in one destination are added in their order.
static void scatter_rows_task(void *context, int part, int parts) {
    const index_args *a = context;
    ptrdiff_t begin, end;
    vitrail_share(a->source.columns, 16, part, parts, &begin, &end);
    for (ptrdiff_t r = 0; r < a->source.rows; r++) {
        if (a->indices[r] < 0) continue;
        const ptrdiff_t element = a->indices[r] * a->destination.stride + begin;
        float *destination = a->destination.data + element;
        const float *source = a->source.data + r * a->source.stride + begin;
        if (a->destination.is_bfloat16) {
            EACH16(c, n, 0, end - begin)
            store_brain_n((uint16_t *)a->destination.data + element + c, load_n(source + c, n), n);
        } else if (a->accumulate) {
            add_row(destination, source, end - begin);
        } else {
            memcpy(destination, source, sizeof(float) * (size_t)(end - begin));
        }
    }
}

/// A part owns a range of columns of all segments.
static void mean_rows_task(void *context, int part, int parts) {
    const index_args *a = context;
    ptrdiff_t begin, end;
    vitrail_share(a->destination.columns, 16, part, parts, &begin, &end);
    for (ptrdiff_t s = 0; s < a->destination.rows; s++) {
        float *destination = a->destination.data + s * a->destination.stride + begin;
        memset(destination, 0, sizeof(float) * (size_t)(end - begin));
        ptrdiff_t count = a->indices[s + 1] - a->indices[s];
        if (count <= 0) continue;
        for (ptrdiff_t r = a->indices[s]; r < a->indices[s + 1]; r++)
            add_row(destination, a->source.data + r * a->source.stride + begin, end - begin);
        float share = 1.0f / (float)count;
        for (ptrdiff_t c = 0; c < end - begin; c++) destination[c] *= share;
    }
}

static void mean_rows_gradient_task(void *context, int part, int parts) {
    const index_args *a = context;
    ptrdiff_t begin, end;
    vitrail_share(a->destination.columns, 16, part, parts, &begin, &end);
    for (ptrdiff_t s = 0; s < a->source.rows; s++) {
        const float *source = a->source.data + s * a->source.stride;
        ptrdiff_t count = a->indices[s + 1] - a->indices[s];
        float share = count > 0 ? 1.0f / (float)count : 0.0f;
        for (ptrdiff_t r = a->indices[s]; r < a->indices[s + 1]; r++) {
            float *destination = a->destination.data + r * a->destination.stride;
            if (a->accumulate) {
#pragma clang loop vectorize(assume_safety)
                for (ptrdiff_t c = begin; c < end; c++) destination[c] += share * source[c];
            } else {
#pragma clang loop vectorize(assume_safety)
                for (ptrdiff_t c = begin; c < end; c++) destination[c] = share * source[c];
            }
        }
    }
}

/// A part owns a range of patch rows of all images.
static void patches_task(void *context, int part, int parts) {
    const patches_args *a = context;
    ptrdiff_t across = a->width / a->patch, down = a->height / a->patch, begin, end;
    vitrail_share(a->count * down, 1, part, parts, &begin, &end);
    for (ptrdiff_t line = begin; line < end; line++) {
        const float *image = a->images + line / down * a->channels * a->height * a->width;
        ptrdiff_t top = line % down * a->patch;
        for (ptrdiff_t column = 0; column < across; column++) {
            float *row = a->rows.data + (line * across + column) * a->rows.stride;
            for (ptrdiff_t channel = 0; channel < a->channels; channel++) {
                for (ptrdiff_t y = 0; y < a->patch; y++, row += a->patch) {
                    const float *pixels = image + (channel * a->height + top + y) * a->width + column * a->patch;
                    memcpy(row, pixels, sizeof(float) * (size_t)a->patch);
                }
            }
        }
    }
}

static void patches_gradient_task(void *context, int part, int parts) {
    const patches_args *a = context;
    ptrdiff_t across = a->width / a->patch, down = a->height / a->patch, begin, end;
    vitrail_share(a->count * down, 1, part, parts, &begin, &end);
    for (ptrdiff_t line = begin; line < end; line++) {
        float *image = a->images + line / down * a->channels * a->height * a->width;
        ptrdiff_t top = line % down * a->patch;
        for (ptrdiff_t column = 0; column < across; column++) {
            const float *row = a->rows.data + (line * across + column) * a->rows.stride;
            for (ptrdiff_t channel = 0; channel < a->channels; channel++) {
                for (ptrdiff_t y = 0; y < a->patch; y++, row += a->patch) {
                    float *pixels = image + (channel * a->height + top + y) * a->width + column * a->patch;
                    for (ptrdiff_t x = 0; x < a->patch; x++) pixels[x] = a->accumulate ? pixels[x] + row[x] : row[x];
                }
            }
        }
    }
}

static void rotate_task(void *context, int part, int parts) {
    const rotate_args a = *(const rotate_args *)context;
    ptrdiff_t begin, end, half = a.head_width / 2;
    float sign = a.inverse ? -1.0f : 1.0f;
    vitrail_share(a.x.rows, 1, part, parts, &begin, &end);
    for (ptrdiff_t r = begin; r < end; r++) {
        const float *cosines = a.table + a.positions[r] * 2 * half, *sines = cosines + half;
        EACH16(i, n, 0, half) {
            const v16f c = load_n(cosines + i, n), s = load_n(sines + i, n) * sign;
            for (ptrdiff_t head = 0; head + a.head_width <= a.x.columns; head += a.head_width) {
                const ptrdiff_t low = r * a.x.stride + head + i, high = low + half;
                write_ahead(&a.x, low);
                write_ahead(&a.x, high);
                v16f x = load_at(&a.x, low, n), y = load_at(&a.x, high, n);
                store_at(&a.x, low, x * c - y * s, n);
                store_at(&a.x, high, y * c + x * s, n);
            }
        }
    }
}
