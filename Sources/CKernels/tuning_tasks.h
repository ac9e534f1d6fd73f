// Loops of tuning.c.

/// h[i, j] = Σ_p x[i, p] · t[j, p] for a few rows of x and t; `t` has rows of `columns`, `h` of `rank`.
INLINE void low_rank_dots_of(const float *x, ptrdiff_t stride, const float *t, ptrdiff_t columns, float *h,
                             ptrdiff_t rank, const int rows, const int ranks) {
    v16f sums[4][4];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < ranks; j++) sums[i][j] = 0.0f;
    EACH16(p, n, 0, columns) {
        v16f left[4];
        for (int i = 0; i < rows; i++) left[i] = load_n(x + i * stride + p, n);
        for (int j = 0; j < ranks; j++) {
            v16f right = load_n(t + j * columns + p, n);
            for (int i = 0; i < rows; i++) sums[i][j] += left[i] * right;
        }
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < ranks; j++) h[i * rank + j] = sum16(sums[i][j]);
}

/// The same for any number of rows.
INLINE void low_rank_dots(const float *x, ptrdiff_t stride, const float *t, ptrdiff_t columns, float *h,
                          ptrdiff_t rank, ptrdiff_t rows) {
    for (ptrdiff_t i = 0; i < rows; i += rows - i >= 4 ? 4 : 1) {
        for (ptrdiff_t j = 0; j < rank; j += rank - j >= 4 ? 4 : 1) {
            const float *from = x + i * stride, *by = t + j * columns;
            float *to = h + i * rank + j;
            if (rows - i >= 4) {
                if (rank - j >= 4) low_rank_dots_of(from, stride, by, columns, to, rank, 4, 4);
                else low_rank_dots_of(from, stride, by, columns, to, rank, 4, 1);
            } else {
                if (rank - j >= 4) low_rank_dots_of(from, stride, by, columns, to, rank, 1, 4);
                else low_rank_dots_of(from, stride, by, columns, to, rank, 1, 1);
            }
        }
    }
}

/// y[i, c] (+)= Σ_j h[i, j] · t[j, c].
INLINE void low_rank_spread_of(float *y, ptrdiff_t stride, const float *t, ptrdiff_t columns, const float *h,
                               ptrdiff_t rank, const int rows, bool accumulate) {
    EACH16(c, n, 0, columns) {
        v16f sums[4];
        for (int i = 0; i < rows; i++) sums[i] = accumulate ? load_n(y + i * stride + c, n) : (v16f)0.0f;
        for (ptrdiff_t j = 0; j < rank; j++) {
            v16f right = load_n(t + j * columns + c, n);
            for (int i = 0; i < rows; i++) sums[i] += h[i * rank + j] * right;
        }
        for (int i = 0; i < rows; i++) store_n(y + i * stride + c, sums[i], n);
    }
}

INLINE void low_rank_spread(float *y, ptrdiff_t stride, const float *t, ptrdiff_t columns, const float *h,
                            ptrdiff_t rank, ptrdiff_t rows, bool accumulate) {
    ptrdiff_t i = 0;
    for (; i + 4 <= rows; i += 4) low_rank_spread_of(y + i * stride, stride, t, columns, h + i * rank, rank, 4, accumulate);
    for (; i < rows; i++) low_rank_spread_of(y + i * stride, stride, t, columns, h + i * rank, rank, 1, accumulate);
}

/// d[j, c] += Σ_i h[i, j] · x[i, c].
INLINE void low_rank_collect_of(float *d, const float *x, ptrdiff_t stride, ptrdiff_t columns, const float *h,
                                ptrdiff_t rank, ptrdiff_t rows, const int ranks) {
    EACH16(c, n, 0, columns) {
        v16f sums[8];
        for (int j = 0; j < ranks; j++) sums[j] = load_n(d + j * columns + c, n);
        for (ptrdiff_t i = 0; i < rows; i++) {
            v16f right = load_n(x + i * stride + c, n);
            for (int j = 0; j < ranks; j++) sums[j] += h[i * rank + j] * right;
        }
        for (int j = 0; j < ranks; j++) store_n(d + j * columns + c, sums[j], n);
    }
}

INLINE void low_rank_collect(float *d, const float *x, ptrdiff_t stride, ptrdiff_t columns, const float *h,
                             ptrdiff_t rank, ptrdiff_t rows) {
    ptrdiff_t j = 0;
    for (; j + 8 <= rank; j += 8) low_rank_collect_of(d + j * columns, x, stride, columns, h + j, rank, rows, 8);
    for (; j + 4 <= rank; j += 4) low_rank_collect_of(d + j * columns, x, stride, columns, h + j, rank, rows, 4);
    for (; j < rank; j++) low_rank_collect_of(d + j * columns, x, stride, columns, h + j, rank, rows, 1);
}

/// A part owns rows; a block of them stays in the second cache between the loops that read it.
static void low_rank_task(void *context, int part, int parts) {
    const low_rank_args *a = context;
    ptrdiff_t begin, end;
    vitrail_share(a->x.rows, 4, part, parts, &begin, &end);
    for (ptrdiff_t row = begin; row < end; row += LOW_RANK_BLOCK) {
        ptrdiff_t rows = end - row < LOW_RANK_BLOCK ? end - row : LOW_RANK_BLOCK;
        float *h = a->h + row * a->rank;
        low_rank_dots(a->x.data + row * a->x.stride, a->x.stride, a->a, a->x.columns, h, a->rank, rows);
        low_rank_spread(a->y.data + row * a->y.stride, a->y.stride, a->up, a->y.columns, h, a->rank, rows, true);
    }
}

static void low_rank_gradient_task(void *context, int part, int parts) {
    const low_rank_args *a = context;
    const ptrdiff_t rank = a->rank, inputs = a->x.columns, outputs = a->y.columns;
    float *da = a->a_partials ? a->a_partials + part * rank * inputs : NULL;
    float *db = a->b_partials ? a->b_partials + part * rank * outputs : NULL;
    if (da) memset(da, 0, sizeof(float) * (size_t)(rank * inputs));
    if (db) memset(db, 0, sizeof(float) * (size_t)(rank * outputs));
    float dh[LOW_RANK_BLOCK * VITRAIL_LOW_RANK_MOST];
    ptrdiff_t begin, end;
    vitrail_share(a->y.rows, 4, part, parts, &begin, &end);
    for (ptrdiff_t row = begin; row < end; row += LOW_RANK_BLOCK) {
        ptrdiff_t rows = end - row < LOW_RANK_BLOCK ? end - row : LOW_RANK_BLOCK;
        const float *dy = a->y.data + row * a->y.stride, *x = a->x.data + row * a->x.stride;
        if (db) low_rank_collect(db, dy, a->y.stride, outputs, a->h + row * rank, rank, rows);
        if (!da && !a->destination.data) continue;
        low_rank_dots(dy, a->y.stride, a->up, outputs, dh, rank, rows);
        if (da) low_rank_collect(da, x, a->x.stride, inputs, dh, rank, rows);
        if (a->destination.data)
            low_rank_spread(
                a->destination.data + row * a->destination.stride, a->destination.stride, a->a, inputs, dh, rank, rows,
                a->accumulate);
    }
}

/// The values of the first n codes of 4 bits from a byte on, at most 16.
INLINE v16f nibble_values(const codes_args *a, const uint8_t *codes, ptrdiff_t n) {
#if VITRAIL_WIDE
    if (__builtin_expect(n >= 16, 1)) {
        // The 16 values are one register; the codes of 8 bytes choose from it.
        const __m128i bytes = _mm_loadl_epi64((const __m128i *)codes), low = _mm_set1_epi8(15);
        const __m128i pairs =
            _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi16(bytes, 4), low), _mm_and_si128(bytes, low));
        return (v16f)_mm512_permutexvar_ps(_mm512_cvtepu8_epi32(pairs), _mm512_loadu_ps(a->values));
    }
#endif
    float lanes[16];
    const ptrdiff_t bytes_read = n < 16 ? (n + 1) / 2 : 8;
    for (ptrdiff_t i = 0; i < bytes_read; i++) memcpy(lanes + 2 * i, a->pairs + 2 * codes[i], 2 * sizeof(float));
    return load_n(lanes, n);
}

/// The same of codes of 8 bits.
INLINE v16f byte_values(const int8_t *codes, ptrdiff_t n) {
    typedef int8_t v16c __attribute__((ext_vector_type(16)));
    v16c bytes = 0;
    if (__builtin_expect(n >= 16, 1)) memcpy(&bytes, codes, sizeof bytes);
    else memcpy(&bytes, codes, (size_t)n);
    return __builtin_convertvector(bytes, v16f);
}

/// A part owns runs of whole blocks.
static void widen_codes_task(void *context, int part, int parts) {
    const codes_args *a = context;
    ptrdiff_t begin, end;
    vitrail_share(a->count, 8 * VITRAIL_CODE_BLOCK, part, parts, &begin, &end);
    for (ptrdiff_t start = begin; start < end; start += VITRAIL_CODE_BLOCK) {
        const ptrdiff_t block = start / VITRAIL_CODE_BLOCK;
        const ptrdiff_t last = end - start < VITRAIL_CODE_BLOCK ? end : start + VITRAIL_CODE_BLOCK;
        const float scale = a->scales ? a->scales[block]
                                      : a->scale_values[a->scale_codes[block]] * a->outer_scales[block / 256] + a->offset;
        if (a->pairs) {
            EACH16(i, n, start, last) {
                store_either(a->destination, a->is_narrow, i, nibble_values(a, a->codes + i / 2, n) * scale, n);
            }
        } else {
            const float step = scale / 127.0f;
            EACH16(i, n, start, last) {
                store_either(a->destination, a->is_narrow, i, byte_values((const int8_t *)a->codes + i, n) * step, n);
            }
        }
    }
}
