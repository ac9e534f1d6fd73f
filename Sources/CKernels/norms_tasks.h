// Loops of norms.c. A row is read two or three times, from the first-level cache after the first.

static void layer_norm_task(void *context, int part, int parts) {
    const norm_args a = *(const norm_args *)context;
    ptrdiff_t begin, end, columns = a.x.columns;
    vitrail_share(a.x.rows, 1, part, parts, &begin, &end);
    for (ptrdiff_t r = begin; r < end; r++) {
        const float *x = a.x.data + r * a.x.stride;
        const ptrdiff_t start = r * a.destination.stride;
        v16f sum = 0.0f, squares = 0.0f;
        EACH16(c, n, 0, columns) {
            ahead_of_read(x, false, c);
            sum += load_n(x + c, n);
        }
        float mean = sum16(sum) / (float)columns;
        EACH16(c, n, 0, columns) {
            v16f d = keep_n(load_n(x + c, n) - mean, n, 0.0f);
            squares += d * d;
        }
        float inverse = 1.0f / __builtin_elementwise_sqrt(sum16(squares) / (float)columns + a.epsilon);
        EACH16(c, n, 0, columns) {
            v16f y = (load_n(x + c, n) - mean) * inverse;
            y = y * load_n(a.weight + c, n) + load_n(a.bias + c, n);
            ahead_of_write(a.destination.data, a.destination.is_bfloat16, start + c);
            store_either(a.destination.data, a.destination.is_bfloat16, start + c, y, n);
        }
        a.statistics[2 * r] = mean;
        a.statistics[2 * r + 1] = inverse;
    }
}

// With y = (x − μ)/σ and u = g ⊙ w:  dx = (u − mean(u) − y · mean(u ⊙ y)) / σ,  dw = Σ g ⊙ y,  db = Σ g.
INLINE void layer_norm_gradient(const norm_args a, const bool is_narrow, int part, int parts) {
    ptrdiff_t begin, end, columns = a.x.columns;
    vitrail_share(a.x.rows, 1, part, parts, &begin, &end);
    float *weight_sums = a.weight_partials ? a.weight_partials + part * columns : NULL;
    float *bias_sums = a.bias_partials ? a.bias_partials + part * columns : NULL;
    if (weight_sums) memset(weight_sums, 0, sizeof(float) * (size_t)columns);
    if (bias_sums) memset(bias_sums, 0, sizeof(float) * (size_t)columns);
    for (ptrdiff_t r = begin; r < end; r++) {
        const float *x = a.x.data + r * a.x.stride;
        const ptrdiff_t from = r * a.gradient.stride;
        float mean = a.statistics[2 * r], inverse = a.statistics[2 * r + 1];
        v16f sum = 0.0f, sum_y = 0.0f;
        EACH16(c, n, 0, columns) {
            ahead_of_read(x, false, c);
            ahead_of_read(a.gradient.data, is_narrow, from + c);
            v16f g = load_either(a.gradient.data, is_narrow, from + c, n), y = (load_n(x + c, n) - mean) * inverse;
            v16f u = g * load_n(a.weight + c, n);
            sum += u;
            sum_y += u * y;
            if (weight_sums) store_n(weight_sums + c, load_n(weight_sums + c, n) + g * y, n);
            if (bias_sums) store_n(bias_sums + c, load_n(bias_sums + c, n) + g, n);
        }
        if (a.value.data) {
            const ptrdiff_t start = r * a.value.stride;
            EACH16(c, n, 0, columns) {
                v16f y = (load_n(x + c, n) - mean) * inverse;
                y = y * load_n(a.weight + c, n) + load_n(a.bias + c, n);
                ahead_of_write(a.value.data, a.value.is_bfloat16, start + c);
                store_either(a.value.data, a.value.is_bfloat16, start + c, y, n);
            }
        }
        if (!a.destination.data) continue;
        float *destination = a.destination.data + r * a.destination.stride;
        float mean_u = sum16(sum) / (float)columns, mean_uy = sum16(sum_y) / (float)columns;
        EACH16(c, n, 0, columns) {
            v16f y = (load_n(x + c, n) - mean) * inverse;
            v16f u = load_either(a.gradient.data, is_narrow, from + c, n) * load_n(a.weight + c, n);
            v16f dx = (u - mean_u - y * mean_uy) * inverse;
            ahead_of_write(destination, false, c);
            if (a.accumulate) dx += load_n(destination + c, n);
            store_n(destination + c, dx, n);
        }
    }
}

static void layer_norm_gradient_task(void *context, int part, int parts) {
    const norm_args *a = context;
    if (a->gradient.is_bfloat16) {
        layer_norm_gradient(*a, true, part, parts);
    } else {
        layer_norm_gradient(*a, false, part, parts);
    }
}

static void rms_norm_task(void *context, int part, int parts) {
    const norm_args a = *(const norm_args *)context;
    ptrdiff_t begin, end, columns = a.x.columns;
    vitrail_share(a.x.rows, 1, part, parts, &begin, &end);
    for (ptrdiff_t r = begin; r < end; r++) {
        const float *x = a.x.data + r * a.x.stride;
        const ptrdiff_t start = r * a.destination.stride;
        v16f squares = 0.0f;
        EACH16(c, n, 0, columns) {
            ahead_of_read(x, false, c);
            v16f v = load_n(x + c, n);
            squares += v * v;
        }
        float inverse = 1.0f / __builtin_elementwise_sqrt(sum16(squares) / (float)columns + a.epsilon);
        EACH16(c, n, 0, columns) {
            ahead_of_write(a.destination.data, a.destination.is_bfloat16, start + c);
            store_either(
                a.destination.data, a.destination.is_bfloat16, start + c,
                load_n(x + c, n) * inverse * load_n(a.weight + c, n), n);
        }
        a.statistics[r] = inverse;
    }
}

// With y = x/σ and u = g ⊙ w:  dx = (u − y · mean(u ⊙ y)) / σ,  dw = Σ g ⊙ y.
INLINE void rms_norm_gradient(const norm_args a, const bool is_narrow, int part, int parts) {
    ptrdiff_t begin, end, columns = a.x.columns;
    vitrail_share(a.x.rows, 1, part, parts, &begin, &end);
    float *weight_sums = a.weight_partials ? a.weight_partials + part * columns : NULL;
    if (weight_sums) memset(weight_sums, 0, sizeof(float) * (size_t)columns);
    for (ptrdiff_t r = begin; r < end; r++) {
        const float *x = a.x.data + r * a.x.stride;
        const ptrdiff_t from = r * a.gradient.stride;
        float inverse = a.statistics[r];
        v16f sum_y = 0.0f;
        EACH16(c, n, 0, columns) {
            ahead_of_read(x, false, c);
            ahead_of_read(a.gradient.data, is_narrow, from + c);
            v16f gy = load_either(a.gradient.data, is_narrow, from + c, n) * (load_n(x + c, n) * inverse);
            sum_y += gy * load_n(a.weight + c, n);
            if (weight_sums) store_n(weight_sums + c, load_n(weight_sums + c, n) + gy, n);
        }
        if (a.value.data) {
            const ptrdiff_t start = r * a.value.stride;
            EACH16(c, n, 0, columns) {
                ahead_of_write(a.value.data, a.value.is_bfloat16, start + c);
                store_either(
                    a.value.data, a.value.is_bfloat16, start + c,
                    load_n(x + c, n) * inverse * load_n(a.weight + c, n), n);
            }
        }
        if (!a.destination.data) continue;
        float *destination = a.destination.data + r * a.destination.stride;
        float mean_uy = sum16(sum_y) / (float)columns;
        EACH16(c, n, 0, columns) {
            v16f y = load_n(x + c, n) * inverse;
            v16f dx = (load_either(a.gradient.data, is_narrow, from + c, n) * load_n(a.weight + c, n) - y * mean_uy) * inverse;
            ahead_of_write(destination, false, c);
            if (a.accumulate) dx += load_n(destination + c, n);
            store_n(destination + c, dx, n);
        }
    }
}

static void rms_norm_gradient_task(void *context, int part, int parts) {
    const norm_args *a = context;
    if (a->gradient.is_bfloat16) {
        rms_norm_gradient(*a, true, part, parts);
    } else {
        rms_norm_gradient(*a, false, part, parts);
    }
}

static void normalize_rows_task(void *context, int part, int parts) {
    const norm_args *a = context;
    ptrdiff_t begin, end, columns = a->x.columns;
    vitrail_share(a->x.rows, 1, part, parts, &begin, &end);
    for (ptrdiff_t r = begin; r < end; r++) {
        const float *x = a->x.data + r * a->x.stride;
        float *destination = a->destination.data + r * a->destination.stride;
        v16f squares = 0.0f;
        EACH16(c, n, 0, columns) {
            v16f v = load_n(x + c, n);
            squares += v * v;
        }
        float norm = __builtin_elementwise_sqrt(sum16(squares));
        float factor = 1.0f / (norm > a->epsilon ? norm : a->epsilon);
        EACH16(c, n, 0, columns) store_n(destination + c, load_n(x + c, n) * factor, n);
        a->statistics[r] = norm;
    }
}

// y = x/‖x‖:  dx = (g − y (y · g)) / ‖x‖; where the length is below ε, y = x/ε and dx = g/ε.
static void normalize_rows_gradient_task(void *context, int part, int parts) {
    const norm_args *a = context;
    ptrdiff_t begin, end, columns = a->x.columns;
    vitrail_share(a->x.rows, 1, part, parts, &begin, &end);
    for (ptrdiff_t r = begin; r < end; r++) {
        const float *y = a->x.data + r * a->x.stride, *gradient = a->gradient.data + r * a->gradient.stride;
        float *destination = a->destination.data + r * a->destination.stride;
        bool short_row = !(a->statistics[r] > a->epsilon);
        float factor = 1.0f / (short_row ? a->epsilon : a->statistics[r]);
        v16f dot = 0.0f;
        EACH16(c, n, 0, columns) dot += load_n(y + c, n) * load_n(gradient + c, n);
        float along = short_row ? 0.0f : sum16(dot);
        EACH16(c, n, 0, columns) {
            v16f dx = (load_n(gradient + c, n) - load_n(y + c, n) * along) * factor;
            if (a->accumulate) dx += load_n(destination + c, n);
            store_n(destination + c, dx, n);
        }
    }
}
