// Loops of elementwise.c. Destinations may be a source's own memory, element for element.
// Arguments are copied where a loop stores: the compiler would read them again after every store.

/// Element `index` and those after it of a matrix of either type.
INLINE v16f load_at(const vitrail_matrix *m, ptrdiff_t index, ptrdiff_t n) {
    return load_either(m->data, m->is_bfloat16, index, n);
}

INLINE void store_at(const vitrail_matrix *m, ptrdiff_t index, v16f v, ptrdiff_t n) {
    store_either(m->data, m->is_bfloat16, index, v, n);
}

INLINE void read_ahead(const vitrail_matrix *m, ptrdiff_t index) { ahead_of_read(m->data, m->is_bfloat16, index); }
INLINE void write_ahead(const vitrail_matrix *m, ptrdiff_t index) { ahead_of_write(m->data, m->is_bfloat16, index); }

static void fill_task(void *context, int part, int parts) {
    const elementwise_args *a = context;
    ptrdiff_t begin, end;
    vitrail_share(a->count, 16, part, parts, &begin, &end);
    for (ptrdiff_t i = begin; i < end; i++) a->destination[i] = a->factor;
}

static void add_task(void *context, int part, int parts) {
    const elementwise_args *a = context;
    const float *x = a->a, *y = a->b;
    float *destination = a->destination;
    ptrdiff_t begin, end;
    vitrail_share(a->count, 16, part, parts, &begin, &end);
    EACH16(i, n, begin, end) {
        ahead_of_read(x, false, i);
        ahead_of_read(y, false, i);
        ahead_of_write(destination, false, i);
        store_n(destination + i, load_n(x + i, n) + load_n(y + i, n), n);
    }
}

static void scale_task(void *context, int part, int parts) {
    const elementwise_args *a = context;
    const float *x = a->a;
    float *destination = a->destination, factor = a->factor;
    ptrdiff_t begin, end;
    vitrail_share(a->count, 16, part, parts, &begin, &end);
    if (a->accumulate) {
#pragma clang loop vectorize(assume_safety) interleave_count(4)
        for (ptrdiff_t i = begin; i < end; i++) destination[i] += factor * x[i];
    } else {
#pragma clang loop vectorize(assume_safety) interleave_count(4)
        for (ptrdiff_t i = begin; i < end; i++) destination[i] = factor * x[i];
    }
}

static void multiply_task(void *context, int part, int parts) {
    const elementwise_args *a = context;
    const float *x = a->a, *y = a->b;
    float *destination = a->destination;
    ptrdiff_t begin, end;
    vitrail_share(a->count, 16, part, parts, &begin, &end);
    if (a->accumulate) {
#pragma clang loop vectorize(assume_safety) interleave_count(4)
        for (ptrdiff_t i = begin; i < end; i++) destination[i] += x[i] * y[i];
    } else {
#pragma clang loop vectorize(assume_safety) interleave_count(4)
        for (ptrdiff_t i = begin; i < end; i++) destination[i] = x[i] * y[i];
    }
}

static void scale_columns_task(void *context, int part, int parts) {
    const rows_args *a = context;
    const float *vector = a->vector;
    ptrdiff_t begin, end, columns = a->x.columns;
    vitrail_share(a->x.rows, 1, part, parts, &begin, &end);
    for (ptrdiff_t r = begin; r < end; r++) {
        const float *x = a->x.data + r * a->x.stride;
        float *destination = a->destination.data + r * a->destination.stride;
        if (a->accumulate) {
#pragma clang loop vectorize(assume_safety) interleave_count(4)
            for (ptrdiff_t c = 0; c < columns; c++) destination[c] += x[c] * vector[c];
        } else {
#pragma clang loop vectorize(assume_safety) interleave_count(4)
            for (ptrdiff_t c = 0; c < columns; c++) destination[c] = x[c] * vector[c];
        }
    }
}

/// Rows that are summed side by side, so that sums stay in registers longer.
enum { ROWS_TOGETHER = 8 };

/// The sums of rows [first, last) of x, or of x ⊙ y, are added to `sums`, and the rows behind them asked for. The type and whether
/// there is a y are known where this is inlined.
INLINE void add_rows(
    const rows_args *a, const bool is_narrow, const bool has_factor, ptrdiff_t first, ptrdiff_t last, float *sums) {
    EACH16(c, n, 0, a->x.columns) {
        v16f sum = load_n(sums + c, n);
        for (ptrdiff_t row = first; row < last; row++) {
            const ptrdiff_t index = row * a->x.stride + c, ahead = index + ROWS_TOGETHER * a->x.stride;
            __builtin_prefetch((const char *)a->x.data + ahead * (is_narrow ? 2 : 4));
            const v16f x = load_either(a->x.data, is_narrow, index, n);
            sum += has_factor ? x * load_at(&a->y, row * a->y.stride + c, n) : x;
        }
        store_n(sums + c, sum, n);
    }
}

/// Sums a share of the rows into partials[part].
static void sum_rows_task(void *context, int part, int parts) {
    const rows_args a = *(const rows_args *)context;
    ptrdiff_t begin, end, columns = a.x.columns;
    vitrail_share(a.x.rows, 1, part, parts, &begin, &end);
    float *sums = a.partials + part * columns;
    memset(sums, 0, sizeof(float) * (size_t)columns);
    for (ptrdiff_t r = begin; r < end; r += ROWS_TOGETHER) {
        const ptrdiff_t last = r + ROWS_TOGETHER < end ? r + ROWS_TOGETHER : end;
        if (a.y.data) {
            add_rows(&a, a.x.is_bfloat16, true, r, last, sums);
        } else if (a.x.is_bfloat16) {
            add_rows(&a, true, false, r, last, sums);
        } else {
            add_rows(&a, false, false, r, last, sums);
        }
    }
}

static void activation_task(void *context, int part, int parts) {
    const rows_args a = *(const rows_args *)context;
    ptrdiff_t begin, end;
    vitrail_share(a.x.rows * a.x.columns, 16, part, parts, &begin, &end);
#define ACTIVATION_LOOP(function)                                                                                      \
    EACH16(i, n, begin, end) {                                                                                         \
        read_ahead(&a.x, i);                                                                                           \
        write_ahead(&a.destination, i);                                                                                \
        store_at(&a.destination, i, activate16(function, load_at(&a.x, i, n), NULL), n);                               \
    }
    FOR_ACTIVATION(a.function, ACTIVATION_LOOP)
}

static void activation_gradient_task(void *context, int part, int parts) {
    const rows_args a = *(const rows_args *)context;
    ptrdiff_t begin, end;
    vitrail_share(a.x.rows * a.x.columns, 16, part, parts, &begin, &end);
#define ACTIVATION_GRADIENT_LOOP(function)                                                                             \
    EACH16(i, n, begin, end) {                                                                                         \
        v16f slope;                                                                                                    \
        read_ahead(&a.x, i);                                                                                           \
        read_ahead(&a.y, i);                                                                                           \
        write_ahead(&a.destination, i);                                                                                \
        v16f value = activate16(function, load_at(&a.x, i, n), &slope);                                                \
        v16f result = slope * load_at(&a.y, i, n);                                                                     \
        if (a.accumulate) result += load_at(&a.destination, i, n);                                                     \
        store_at(&a.destination, i, result, n);                                                                        \
        if (!a.value.data) continue;                                                                                   \
        write_ahead(&a.value, i);                                                                                      \
        store_at(&a.value, i, value, n);                                                                               \
    }
    FOR_ACTIVATION(a.function, ACTIVATION_GRADIENT_LOOP)
}

static void gated_activation_task(void *context, int part, int parts) {
    const rows_args a = *(const rows_args *)context;
    ptrdiff_t begin, end, columns = a.destination.columns;
    vitrail_share(a.destination.rows, 1, part, parts, &begin, &end);
#define GATED_LOOP(function)                                                                                           \
    for (ptrdiff_t r = begin; r < end; r++) {                                                                          \
        const ptrdiff_t gate = r * a.x.stride, up = gate + columns, to = r * a.destination.stride;                     \
        EACH16(c, n, 0, columns) {                                                                                     \
            read_ahead(&a.x, gate + c);                                                                                \
            read_ahead(&a.x, up + c);                                                                                  \
            write_ahead(&a.destination, to + c);                                                                       \
            store_at(                                                                                                  \
                &a.destination, to + c,                                                                                \
                activate16(function, load_at(&a.x, gate + c, n), NULL) * load_at(&a.x, up + c, n), n);                 \
        }                                                                                                              \
    }
    FOR_ACTIVATION(a.function, GATED_LOOP)
}

static void gated_activation_gradient_task(void *context, int part, int parts) {
    const rows_args a = *(const rows_args *)context;
    ptrdiff_t begin, end, columns = a.y.columns;
    vitrail_share(a.y.rows, 1, part, parts, &begin, &end);
#define GATED_GRADIENT_LOOP(function)                                                                                  \
    for (ptrdiff_t r = begin; r < end; r++) {                                                                          \
        const ptrdiff_t gate = r * a.x.stride, up = gate + columns, from = r * a.y.stride;                             \
        const ptrdiff_t to_gate = r * a.destination.stride, to_up = to_gate + columns;                                 \
        EACH16(c, n, 0, columns) {                                                                                     \
            v16f slope, value = activate16(function, load_at(&a.x, gate + c, n), &slope);                              \
            read_ahead(&a.x, gate + c);                                                                                \
            read_ahead(&a.x, up + c);                                                                                  \
            read_ahead(&a.y, from + c);                                                                                \
            write_ahead(&a.destination, to_gate + c);                                                                  \
            write_ahead(&a.destination, to_up + c);                                                                    \
            v16f g = load_at(&a.y, from + c, n);                                                                       \
            v16f u = load_at(&a.x, up + c, n), for_gate = g * u * slope, for_up = g * value;                           \
            if (a.accumulate) {                                                                                        \
                for_gate += load_at(&a.destination, to_gate + c, n);                                                   \
                for_up += load_at(&a.destination, to_up + c, n);                                                       \
            }                                                                                                          \
            store_at(&a.destination, to_gate + c, for_gate, n);                                                        \
            store_at(&a.destination, to_up + c, for_up, n);                                                            \
            if (!a.value.data) continue;                                                                               \
            write_ahead(&a.value, r * a.value.stride + c);                                                             \
            store_at(&a.value, r * a.value.stride + c, value * u, n);                                                  \
        }                                                                                                              \
    }
    FOR_ACTIVATION(a.function, GATED_GRADIENT_LOOP)
}

static void dropout_task(void *context, int part, int parts) {
    const elementwise_args *a = context;
    const v8u rising = {1, 2, 3, 4, 5, 6, 7, 8};
    float factor = 1.0f / (1.0f - a->factor);
    // uniform < rate on 24-bit fractions, compared as integers
    uint64_t limit = (uint64_t)__builtin_ceil((double)a->factor * 16777216.0);
    ptrdiff_t begin, end;
    vitrail_share(a->count, 16, part, parts, &begin, &end);
    EACH16(i, n, begin, end) {
        v8u z[2] = {(uint64_t)i + rising, (uint64_t)i + 8 + rising};
        v16f kept;
        for (int half = 0; half < 2; half++) {
            z[half] = a->seed + z[half] * 0x9E3779B97F4A7C15u;
            z[half] = (z[half] ^ (z[half] >> 30)) * 0xBF58476D1CE4E5B9u;
            z[half] = (z[half] ^ (z[half] >> 27)) * 0x94D049BB133111EBu;
            z[half] = (z[half] ^ (z[half] >> 31)) >> 40;
        }
        v8f zero = 0.0f, scale = factor;
        kept.lo = __builtin_convertvector(z[0] >= limit, v8i) ? scale : zero;
        kept.hi = __builtin_convertvector(z[1] >= limit, v8i) ? scale : zero;
        // A select, not a product: what is dropped is zero even where x is not a number.
        v16f x = load_n(a->a + i, n);
        v16f result = kept > 0.0f ? x * factor : (v16f)0.0f;
        if (a->accumulate) result += load_n(a->destination + i, n);
        store_n(a->destination + i, result, n);
    }
}
