// Small products in registers, and the packing that feeds them.

#ifdef VITRAIL_WIDE
enum { TILE_ROWS = 12 };  // with two vectors a row 24 sums in 32 registers
#else
enum { TILE_ROWS = 6 };
#endif

/// c[R, 16 C] = (add ? c : 0) + Σ_k a[r · row + k · step] b[k, :], with R, C and add known where this is inlined.
INLINE void tile(
    const int R, const int C, const bool add, ptrdiff_t depth, const float *a, ptrdiff_t row, ptrdiff_t step,
    const float *b, ptrdiff_t ldb, float *c, ptrdiff_t ldc) {
    v16f sums[12][4];
#pragma clang loop unroll(full)
    for (int r = 0; r < R; r++)
#pragma clang loop unroll(full)
        for (int j = 0; j < C; j++) sums[r][j] = add ? load16(c + r * ldc + 16 * j) : (v16f)0.0f;
    for (ptrdiff_t k = 0; k < depth; k++) {
        v16f columns[4];
#pragma clang loop unroll(full)
        for (int j = 0; j < C; j++) columns[j] = load16(b + k * ldb + 16 * j);
#pragma clang loop unroll(full)
        for (int r = 0; r < R; r++) {
            v16f factor = a[r * row + k * step];
#pragma clang loop unroll(full)
            for (int j = 0; j < C; j++) sums[r][j] += factor * columns[j];
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < R; r++)
#pragma clang loop unroll(full)
        for (int j = 0; j < C; j++) store16(c + r * ldc + 16 * j, sums[r][j]);
}

/// scores[rows, ATTENTION_KEYS] = a · keys for `keys` columns (rounded up to a panel), a in tiles, keys in panels.
INLINE void multiply_panels(
    ptrdiff_t rows, ptrdiff_t keys, ptrdiff_t width, const float *tiles, const float *panels, float *scores) {
    for (ptrdiff_t p = 0; p < keys; p += ATTENTION_PANEL) {
        const float *panel = panels + p * width;
        for (ptrdiff_t r = 0; r < rows; r += TILE_ROWS) {
#ifdef VITRAIL_WIDE
            tile(12, 2, false, width, tiles + r * width, 1, 12, panel, 32, scores + r * 96 + p, 96);
#else
            tile(6, 1, false, width, tiles + r * width, 1, 6, panel, 32, scores + r * 96 + p, 96);
            tile(6, 1, false, width, tiles + r * width, 1, 6, panel + 16, 32, scores + r * 96 + p + 16, 96);
#endif
        }
    }
}

/// c[rows, width] += a · b, where element (r, k) of a stands at r · row + k · step: a product with scores, or with their transpose.
INLINE void multiply_scores(
    ptrdiff_t rows, ptrdiff_t depth, ptrdiff_t width, const float *a, const ptrdiff_t row, const ptrdiff_t step,
    const float *b, float *c) {
    ptrdiff_t column = 0;
#ifdef VITRAIL_WIDE
    for (; column + 64 <= width; column += 64)
        for (ptrdiff_t r = 0; r < rows; r += 6)
            tile(6, 4, true, depth, a + r * row, row, step, b + column, width, c + r * width + column, width);
    for (; column + 32 <= width; column += 32)
        for (ptrdiff_t r = 0; r < rows; r += 12)
            tile(12, 2, true, depth, a + r * row, row, step, b + column, width, c + r * width + column, width);
    for (; column < width; column += 16)
        for (ptrdiff_t r = 0; r < rows; r += 12)
            tile(12, 1, true, depth, a + r * row, row, step, b + column, width, c + r * width + column, width);
#else
    for (; column < width; column += 16)
        for (ptrdiff_t r = 0; r < rows; r += 6)
            tile(6, 1, true, depth, a + r * row, row, step, b + column, width, c + r * width + column, width);
#endif
}

/// Rows of a head as [rows, width] with zeros beyond the head's width, times `factor`.
INLINE void pack_rows(
    const float *source, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t used, ptrdiff_t width, float factor,
    float *destination) {
    for (ptrdiff_t r = 0; r < rows; r++) {
        EACH16(c, n, 0, used) store16(destination + r * width + c, load_n(source + r * stride + c, n) * factor);
    }
}

/// Packed rows as tiles [rows / TILE_ROWS][width][TILE_ROWS]; rows beyond `rows` up to a whole tile are zero.
INLINE void pack_tiles(const float *packed, ptrdiff_t rows, ptrdiff_t width, float *tiles) {
    for (ptrdiff_t r = 0; r < rows; r += TILE_ROWS, tiles += TILE_ROWS * width) {
        ptrdiff_t present = rows - r < TILE_ROWS ? rows - r : TILE_ROWS;
        if (present < TILE_ROWS) memset(tiles, 0, sizeof(float) * (size_t)(TILE_ROWS * width));
        for (ptrdiff_t i = 0; i < present; i++)
            for (ptrdiff_t c = 0; c < width; c++) tiles[c * TILE_ROWS + i] = packed[(r + i) * width + c];
    }
}

/// 16 rows of 16 columns, turned: four rounds of exchanging halves.
INLINE void transpose16(v16f rows[16]) {
    for (int step = 8; step >= 1; step >>= 1) {
        for (int i = 0; i < 16; i++) {
            if (i & step) continue;
            v16f a = rows[i], b = rows[i + step];
            switch (step) {
            case 8:
                rows[i] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
                rows[i + 8] = __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
                break;
            case 4:
                rows[i] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
                rows[i + 4] = __builtin_shufflevector(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
                break;
            case 2:
                rows[i] = __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
                rows[i + 2] = __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
                break;
            default:
                rows[i] = __builtin_shufflevector(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
                rows[i + 1] = __builtin_shufflevector(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
            }
        }
    }
}

/// Rows of keys as panels [keys / 32][width][32]: the transpose, ready to be a product's right factor. Keys beyond `keys` up to a
/// whole panel are zero.
INLINE void pack_panels(
    const float *source, ptrdiff_t stride, ptrdiff_t keys, ptrdiff_t used, ptrdiff_t width, float *panels) {
    for (ptrdiff_t k = 0; k < attention_round(keys, ATTENTION_PANEL); k += 16) {
        float *panel = panels + k / ATTENTION_PANEL * ATTENTION_PANEL * width + k % ATTENTION_PANEL;
        EACH16(c, n, 0, used) {
            v16f rows[16];
            for (int i = 0; i < 16; i++) rows[i] = k + i < keys ? load_n(source + (k + i) * stride + c, n) : (v16f)0.0f;
            transpose16(rows);
            for (int i = 0; i < 16; i++) store16(panel + (c + i) * ATTENTION_PANEL, rows[i]);
        }
    }
}
