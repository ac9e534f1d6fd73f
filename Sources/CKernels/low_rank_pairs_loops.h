// Loops of low_rank_pairs.c: pairs of terms of bfloat16, sums in float32. Ranks come in fours, some of which may be zeros.
// Included within the attribute that turns the instructions on, by the file that includes what stands before it.
#ifndef LOW_RANK_PAIRS_LOOPS_H
#define LOW_RANK_PAIRS_LOOPS_H

/// Rows of x, and elements of y, that are asked for ahead. A column of x is a line of every row, which no prefetching sees coming.
enum { DOTS_AHEAD = 4, COLLECT_AHEAD = 32, SPREAD_AHEAD = 256 };

/// Rows of bfloat16 numbers, `stride` elements apart.
typedef struct {
    const uint16_t *data;
    ptrdiff_t stride;
} brain_rows;

INLINE ptrdiff_t up_to(ptrdiff_t count, ptrdiff_t unit) { return (count + unit - 1) / unit * unit; }
INLINE ptrdiff_t lesser(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
INLINE __mmask16 first16(ptrdiff_t n) { return (__mmask16)(n >= 16 ? 0xffff : n <= 0 ? 0 : (1 << n) - 1); }
INLINE __mmask32 first32(ptrdiff_t n) { return (__mmask32)(n >= 32 ? 0xffffffff : (1u << n) - 1); }

/// The first n (1 ... 32) elements from `index` on as bfloat16, zeros behind them.
INLINE __m512i load_narrow(const void *x, bool narrow, ptrdiff_t index, ptrdiff_t n) {
    if (narrow) return _mm512_maskz_loadu_epi16(first32(n), (const uint16_t *)x + index);
    const float *from = (const float *)x + index;
    return (__m512i)_mm512_cvtne2ps_pbh(
        _mm512_maskz_loadu_ps(first16(n - 16), from + 16), _mm512_maskz_loadu_ps(first16(n), from));
}

/// Will read 32 elements from `index` on.
INLINE void ask_for(const void *x, bool narrow, ptrdiff_t index) {
    const char *at = (const char *)x + index * (narrow ? 2 : 4);
    __builtin_prefetch(at);
    if (!narrow) __builtin_prefetch(at + 64);
}

/// Two neighbouring elements, in all lanes.
INLINE __m512bh pair_at(const uint16_t *at) {
    int32_t pair;
    memcpy(&pair, at, sizeof pair);
    return (__m512bh)_mm512_set1_epi32(pair);
}

/// h[i, j] = Σ_p x[i, p] · t[j, p] for up to four rows of x from element `from` on, and four ranks; rows of t are whole vectors with
/// zeros at their ends.
INLINE void dots(
    vitrail_matrix x, const bool narrow, ptrdiff_t from, ptrdiff_t rows, ptrdiff_t terms, brain_rows t, bool asks, float *h,
    ptrdiff_t ldh) {
    __m512 sums[4][4];
    ptrdiff_t at[4];
    for (int i = 0; i < 4; i++) {
        at[i] = from + lesser(i, rows - 1) * x.stride;
        for (int j = 0; j < 4; j++) sums[i][j] = _mm512_setzero_ps();
    }
    for (ptrdiff_t p = 0; p < terms; p += 32) {
        const ptrdiff_t n = lesser(32, terms - p);
        __m512bh left[4];
        for (int i = 0; i < 4; i++) left[i] = (__m512bh)load_narrow(x.data, narrow, at[i] + p, n);
        for (int i = 0; asks && i < 4; i++) ask_for(x.data, narrow, at[i] + DOTS_AHEAD * x.stride + p);
        for (int j = 0; j < 4; j++) {
            const __m512bh right = (__m512bh)_mm512_loadu_si512(t.data + j * t.stride + p);
            for (int i = 0; i < 4; i++) sums[i][j] = _mm512_dpbf16_ps(sums[i][j], left[i], right);
        }
    }
    float results[16];
    store16(results, sums16((v16f *)sums));
    for (ptrdiff_t i = 0; i < lesser(4, rows); i++) memcpy(h + i * ldh, results + 4 * i, 4 * sizeof(float));
}

/// The same for any number of rows and ranks, terms being columns of x from `first` on.
static void dots_of(
    vitrail_matrix x, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t first, ptrdiff_t terms, brain_rows t, ptrdiff_t ranks, float *h,
    ptrdiff_t ldh) {
    for (ptrdiff_t i = 0; i < rows; i += 4) {
        const ptrdiff_t from = (row + i) * x.stride + first;
        for (ptrdiff_t j = 0; j < ranks; j += 4) {
            const brain_rows four = {t.data + j * t.stride, t.stride};
            if (x.is_bfloat16) dots(x, true, from, rows - i, terms, four, j == 0, h + i * ldh + j, ldh);
            else dots(x, false, from, rows - i, terms, four, j == 0, h + i * ldh + j, ldh);
        }
    }
}

/// y[i, c] (+)= Σ_j h[i, j] · t[j, c] for R rows and V vectors of columns, of which n exist in each; t holds pairs of ranks,
/// [ranks / 2][stride][2].
INLINE void spread(
    const int R, const int V, vitrail_matrix y, const bool narrow, ptrdiff_t from, ptrdiff_t n, brain_rows h, ptrdiff_t ranks,
    brain_rows t, bool accumulate) {
    __m512 sums[8][2];
    for (int i = 0; i < R; i++) {
        const ptrdiff_t at = from + i * y.stride;
        for (int v = 0; v < V; v++)
            sums[i][v] = accumulate ? (__m512)load_either(y.data, narrow, at + 16 * v, n) : _mm512_setzero_ps();
        ask_for(y.data, narrow, at + SPREAD_AHEAD);
    }
    for (ptrdiff_t j = 0; j < ranks; j += 2) {
        __m512bh right[2];
        for (int v = 0; v < V; v++) right[v] = (__m512bh)_mm512_loadu_si512(t.data + j * t.stride + 32 * v);
        for (int i = 0; i < R; i++) {
            const __m512bh left = pair_at(h.data + i * h.stride + j);
            for (int v = 0; v < V; v++) sums[i][v] = _mm512_dpbf16_ps(sums[i][v], left, right[v]);
        }
    }
    for (int i = 0; i < R; i++)
        for (int v = 0; v < V; v++) store_either(y.data, narrow, from + i * y.stride + 16 * v, (v16f)sums[i][v], n);
}

/// The same for all columns of R rows.
INLINE void spread_rows(
    const int R, vitrail_matrix y, const bool narrow, ptrdiff_t from, ptrdiff_t columns, brain_rows h, ptrdiff_t ranks,
    brain_rows t, bool accumulate) {
    ptrdiff_t c = 0;
    for (; c + 32 <= columns; c += 32, t.data += 64) spread(R, 2, y, narrow, from + c, 16, h, ranks, t, accumulate);
    for (; c < columns; c += 16, t.data += 32)
        spread(R, 1, y, narrow, from + c, lesser(16, columns - c), h, ranks, t, accumulate);
}

/// The same for any number of rows, and columns from `first` on.
static void spread_of(
    vitrail_matrix y, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t first, ptrdiff_t columns, brain_rows h, ptrdiff_t ranks,
    brain_rows t, bool accumulate) {
    for (ptrdiff_t i = 0; i < rows; i += rows - i >= 8 ? 8 : 1) {
        const ptrdiff_t from = (row + i) * y.stride + first;
        const brain_rows by = {h.data + i * h.stride, h.stride};
        if (rows - i >= 8) {
            if (y.is_bfloat16) spread_rows(8, y, true, from, columns, by, ranks, t, accumulate);
            else spread_rows(8, y, false, from, columns, by, ranks, t, accumulate);
        } else {
            if (y.is_bfloat16) spread_rows(1, y, true, from, columns, by, ranks, t, accumulate);
            else spread_rows(1, y, false, from, columns, by, ranks, t, accumulate);
        }
    }
}

/// d[j, c] = Σ_i h[i, j] · x[i, c] for some ranks and up to 32 columns from `first` on; `turned` holds pairs of rows,
/// [rows / 2][stride][2].
INLINE void collect(
    const int ranks, vitrail_matrix x, const bool narrow, ptrdiff_t first, ptrdiff_t columns, brain_rows turned,
    float d[8][32]) {
    // Lanes 2 c and 2 c + 1: column c of both rows.
    const __m512i low = _mm512_set_epi16(
        47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32,
        0);
    const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
    __m512 sums[8][2];
    for (int j = 0; j < ranks; j++) sums[j][0] = sums[j][1] = _mm512_setzero_ps();
    for (ptrdiff_t row = 0; row < x.rows; row += 2, turned.data += 2 * turned.stride) {
        const ptrdiff_t at = row * x.stride + first, next = row + 1 < x.rows ? at + x.stride : at;
        ask_for(x.data, narrow, at + COLLECT_AHEAD * x.stride);
        ask_for(x.data, narrow, at + (COLLECT_AHEAD + 1) * x.stride);
        const __m512i one = load_narrow(x.data, narrow, at, columns), two = load_narrow(x.data, narrow, next, columns);
        const __m512bh right[2] = {
            (__m512bh)_mm512_permutex2var_epi16(one, low, two), (__m512bh)_mm512_permutex2var_epi16(one, high, two)};
        for (int j = 0; j < ranks; j++) {
            const __m512bh left = pair_at(turned.data + 2 * j);
            for (int v = 0; v < 2; v++) sums[j][v] = _mm512_dpbf16_ps(sums[j][v], left, right[v]);
        }
    }
    for (int j = 0; j < ranks; j++)
        for (int v = 0; v < 2; v++) _mm512_storeu_ps(d[j] + 16 * v, sums[j][v]);
}

/// The same for eight ranks, or four.
static void collect_of(
    ptrdiff_t ranks, vitrail_matrix x, ptrdiff_t first, ptrdiff_t columns, brain_rows turned, float d[8][32]) {
    if (ranks == 8) {
        if (x.is_bfloat16) collect(8, x, true, first, columns, turned, d);
        else collect(8, x, false, first, columns, turned, d);
    } else {
        if (x.is_bfloat16) collect(4, x, true, first, columns, turned, d);
        else collect(4, x, false, first, columns, turned, d);
    }
}

#endif
