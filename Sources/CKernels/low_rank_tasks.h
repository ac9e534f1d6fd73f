// Loops of low_rank.c. What is read or written by rows may be float32 or bfloat16, `narrow`.

/// Vectors of a row that are worked on together, as far as registers go.
#ifdef VITRAIL_WIDE
enum { LOW_RANK_VECTORS = 2 };
#else
enum { LOW_RANK_VECTORS = 1 };
#endif

/// The address of a row of a matrix of either type.
INLINE float *row_at(vitrail_matrix m, ptrdiff_t row) {
    return m.is_bfloat16 ? (float *)((uint16_t *)m.data + row * m.stride) : m.data + row * m.stride;
}

/// h[i, j] = Σ_p x[i, p] · t[j, p] for a few rows of x and t; `t` has rows of `columns`, h rows `ldh` apart.
INLINE void low_rank_dots_of(const float *x, ptrdiff_t from, ptrdiff_t stride, const float *t, ptrdiff_t columns, float *h,
                             ptrdiff_t ldh, const int rows, const int ranks, const bool narrow) {
    v16f sums[4][4];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < ranks; j++) sums[i][j] = 0.0f;
    EACH16(p, n, 0, columns) {
        v16f left[4];
        for (int i = 0; i < rows; i++) left[i] = load_either(x, narrow, from + i * stride + p, n);
        for (int j = 0; j < ranks; j++) {
            v16f right = load_n(t + j * columns + p, n);
            for (int i = 0; i < rows; i++) sums[i][j] += left[i] * right;
        }
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < ranks; j++) h[i * ldh + j] = sum16(sums[i][j]);
}

INLINE void low_rank_dots_as(const float *x, ptrdiff_t from, ptrdiff_t stride, const float *t, ptrdiff_t columns, float *h,
                             ptrdiff_t ldh, ptrdiff_t rank, ptrdiff_t rows, const bool narrow) {
    for (ptrdiff_t i = 0; i < rows; i += rows - i >= 4 ? 4 : 1) {
        for (ptrdiff_t j = 0; j < rank; j += rank - j >= 4 ? 4 : 1) {
            const ptrdiff_t at = from + i * stride;
            const float *by = t + j * columns;
            float *to = h + i * ldh + j;
            if (rows - i >= 4) {
                if (rank - j >= 4) low_rank_dots_of(x, at, stride, by, columns, to, ldh, 4, 4, narrow);
                else low_rank_dots_of(x, at, stride, by, columns, to, ldh, 4, 1, narrow);
            } else {
                if (rank - j >= 4) low_rank_dots_of(x, at, stride, by, columns, to, ldh, 1, 4, narrow);
                else low_rank_dots_of(x, at, stride, by, columns, to, ldh, 1, 1, narrow);
            }
        }
    }
}

/// The same for any number of rows of a matrix, from a column on.
static void low_rank_dots(vitrail_matrix x, ptrdiff_t row, ptrdiff_t first, const float *t, ptrdiff_t columns, float *h,
                          ptrdiff_t ldh, ptrdiff_t rank, ptrdiff_t rows) {
    const float *data = row_at(x, row);
    if (x.is_bfloat16) low_rank_dots_as(data, first, x.stride, t, columns, h, ldh, rank, rows, true);
    else low_rank_dots_as(data, first, x.stride, t, columns, h, ldh, rank, rows, false);
}

/// y[i, c] (+)= Σ_j h[i, j] · t[j, c].
INLINE void low_rank_spread_of(float *y, ptrdiff_t from, ptrdiff_t stride, const float *t, ptrdiff_t columns, const float *h,
                               ptrdiff_t ldh, ptrdiff_t rank, const int rows, const bool narrow, bool accumulate) {
    const int vectors = LOW_RANK_VECTORS;
    ptrdiff_t c = 0;
    for (; c + 16 * vectors <= columns; c += 16 * vectors) {
        v16f sums[4][LOW_RANK_VECTORS];
        for (int i = 0; i < rows; i++) {
            for (int v = 0; v < vectors; v++) {
                const ptrdiff_t at = from + i * stride + c + 16 * v;
                sums[i][v] = accumulate ? load_either(y, narrow, at, 16) : (v16f)0.0f;
            }
        }
        for (ptrdiff_t j = 0; j < rank; j++) {
            v16f right[LOW_RANK_VECTORS];
            for (int v = 0; v < vectors; v++) right[v] = load16(t + j * columns + c + 16 * v);
            for (int i = 0; i < rows; i++)
                for (int v = 0; v < vectors; v++) sums[i][v] += h[i * ldh + j] * right[v];
        }
        for (int i = 0; i < rows; i++)
            for (int v = 0; v < vectors; v++) store_either(y, narrow, from + i * stride + c + 16 * v, sums[i][v], 16);
    }
    EACH16(rest, n, c, columns) {
        v16f sums[4];
        for (int i = 0; i < rows; i++)
            sums[i] = accumulate ? load_either(y, narrow, from + i * stride + rest, n) : (v16f)0.0f;
        for (ptrdiff_t j = 0; j < rank; j++) {
            v16f right = load_n(t + j * columns + rest, n);
            for (int i = 0; i < rows; i++) sums[i] += h[i * ldh + j] * right;
        }
        for (int i = 0; i < rows; i++) store_either(y, narrow, from + i * stride + rest, sums[i], n);
    }
}

INLINE void low_rank_spread_as(float *y, ptrdiff_t from, ptrdiff_t stride, const float *t, ptrdiff_t columns, const float *h,
                               ptrdiff_t ldh, ptrdiff_t rank, ptrdiff_t rows, const bool narrow, bool accumulate) {
    ptrdiff_t i = 0;
    for (; i + 4 <= rows; i += 4)
        low_rank_spread_of(
            y, from + i * stride, stride, t, columns, h + i * ldh, ldh, rank, 4, narrow, accumulate);
    for (; i < rows; i++)
        low_rank_spread_of(
            y, from + i * stride, stride, t, columns, h + i * ldh, ldh, rank, 1, narrow, accumulate);
}

static void low_rank_spread(vitrail_matrix y, ptrdiff_t row, ptrdiff_t first, const float *t, ptrdiff_t columns,
                            const float *h, ptrdiff_t ldh, ptrdiff_t rank, ptrdiff_t rows, bool accumulate) {
    float *data = row_at(y, row);
    if (y.is_bfloat16) low_rank_spread_as(data, first, y.stride, t, columns, h, ldh, rank, rows, true, accumulate);
    else low_rank_spread_as(data, first, y.stride, t, columns, h, ldh, rank, rows, false, accumulate);
}

/// d[j, c] += Σ_i h[i, j] · x[i, c] for a few columns.
INLINE void low_rank_collect_columns(float *d, const float *x, ptrdiff_t from, ptrdiff_t stride, ptrdiff_t columns,
                                     const float *h, ptrdiff_t ldh, ptrdiff_t rows, const int ranks, const bool narrow,
                                     const int vectors, ptrdiff_t n) {
    v16f sums[8][LOW_RANK_VECTORS];
    for (int j = 0; j < ranks; j++)
        for (int v = 0; v < vectors; v++) sums[j][v] = load_n(d + j * columns + 16 * v, n);
    for (ptrdiff_t i = 0; i < rows; i++) {
        v16f right[LOW_RANK_VECTORS];
        for (int v = 0; v < vectors; v++) right[v] = load_either(x, narrow, from + i * stride + 16 * v, n);
        for (int j = 0; j < ranks; j++)
            for (int v = 0; v < vectors; v++) sums[j][v] += h[i * ldh + j] * right[v];
    }
    for (int j = 0; j < ranks; j++)
        for (int v = 0; v < vectors; v++) store_n(d + j * columns + 16 * v, sums[j][v], n);
}

INLINE void low_rank_collect_of(float *d, const float *x, ptrdiff_t from, ptrdiff_t stride, ptrdiff_t columns,
                                const float *h, ptrdiff_t ldh, ptrdiff_t rows, const int ranks, const bool narrow) {
    ptrdiff_t c = 0;
    for (; c + 16 * LOW_RANK_VECTORS <= columns; c += 16 * LOW_RANK_VECTORS)
        low_rank_collect_columns(
            d + c, x, from + c, stride, columns, h, ldh, rows, ranks, narrow, LOW_RANK_VECTORS, 16);
    EACH16(rest, n, c, columns) {
        low_rank_collect_columns(d + rest, x, from + rest, stride, columns, h, ldh, rows, ranks, narrow, 1, n);
    }
}

INLINE void low_rank_collect_as(float *d, const float *x, ptrdiff_t from, ptrdiff_t stride, ptrdiff_t columns,
                                const float *h, ptrdiff_t ldh, ptrdiff_t rank, ptrdiff_t rows, const bool narrow) {
    ptrdiff_t j = 0;
    for (; j + 8 <= rank; j += 8)
        low_rank_collect_of(d + j * columns, x, from, stride, columns, h + j, ldh, rows, 8, narrow);
    for (; j + 4 <= rank; j += 4)
        low_rank_collect_of(d + j * columns, x, from, stride, columns, h + j, ldh, rows, 4, narrow);
    for (; j < rank; j++)
        low_rank_collect_of(d + j * columns, x, from, stride, columns, h + j, ldh, rows, 1, narrow);
}

static void low_rank_collect(float *d, vitrail_matrix x, ptrdiff_t row, ptrdiff_t first, ptrdiff_t columns,
                             const float *h, ptrdiff_t ldh, ptrdiff_t rank, ptrdiff_t rows) {
    const float *data = row_at(x, row);
    if (x.is_bfloat16) low_rank_collect_as(d, data, first, x.stride, columns, h, ldh, rank, rows, true);
    else low_rank_collect_as(d, data, first, x.stride, columns, h, ldh, rank, rows, false);
}

/// A part owns rows; a block of them stays in the second cache between the loops that read it.
static void low_rank_task(void *context, int part, int parts) {
    const low_rank_args *a = context;
    ptrdiff_t begin, end;
    vitrail_share(a->x.rows, 4, part, parts, &begin, &end);
    for (ptrdiff_t row = begin; row < end; row += LOW_RANK_BLOCK) {
        ptrdiff_t rows = end - row < LOW_RANK_BLOCK ? end - row : LOW_RANK_BLOCK;
        float *h = a->h.data + row * a->h.stride;
        low_rank_dots(a->x, row, 0, a->down, a->x.columns, h, a->h.stride, a->ranks, rows);
        const float *up = a->up;
        for (const vitrail_low_rank_product *p = a->products; p < a->products + a->count; p++) {
            low_rank_spread(a->y, row, p->first, up, p->outputs, h, a->h.stride, p->rank, rows, true);
            up += p->rank * p->outputs;
            h += p->rank;
        }
    }
}

static void low_rank_gradient_task(void *context, int part, int parts) {
    const low_rank_args *a = context;
    const ptrdiff_t ranks = a->ranks, inputs = a->x.columns;
    float *da = a->a_partials ? a->a_partials + part * ranks * inputs : NULL;
    float *db = a->b_partials ? a->b_partials + part * a->up_count : NULL;
    if (da) memset(da, 0, sizeof(float) * (size_t)(ranks * inputs));
    if (db) memset(db, 0, sizeof(float) * (size_t)a->up_count);
    float dh[LOW_RANK_BLOCK * LOW_RANK_MOST_RANKS];
    ptrdiff_t begin, end;
    vitrail_share(a->y.rows, 4, part, parts, &begin, &end);
    for (ptrdiff_t row = begin; row < end; row += LOW_RANK_BLOCK) {
        const ptrdiff_t rows = end - row < LOW_RANK_BLOCK ? end - row : LOW_RANK_BLOCK;
        ptrdiff_t at = 0, up = 0;
        for (const vitrail_low_rank_product *p = a->products; p < a->products + a->count; p++) {
            const float *h = a->h.data + row * a->h.stride + at;
            if (db)
                low_rank_collect(db + up, a->y, row, p->first, p->outputs, h, a->h.stride, p->rank, rows);
            if (da || a->destination.data)
                low_rank_dots(a->y, row, p->first, a->up + up, p->outputs, dh + at, ranks, p->rank, rows);
            at += p->rank;
            up += p->rank * p->outputs;
        }
        if (da) low_rank_collect(da, a->x, row, 0, inputs, dh, ranks, ranks, rows);
        if (a->destination.data)
            low_rank_spread(a->destination, row, 0, a->down, inputs, dh, ranks, ranks, rows, a->accumulate);
    }
}
