// Small products in registers, and the packing that feeds them.

#ifdef VITRAIL_WIDE
enum { TILE_ROWS = 12 };  // with two vectors a row 24 sums in 32 registers
#else
enum { TILE_ROWS = 6 };
#endif

/// c[R, 16 C] = (add ? c : 0) + Σ_k a[r · row + k · step] b[k, :], with R, C, add and b's type known where this is inlined.
INLINE void tile_of(
    const int R, const int C, const bool add, ptrdiff_t depth, const float *a, ptrdiff_t row, ptrdiff_t step,
    const float *b, const bool b_is_narrow, ptrdiff_t ldb, float *c, ptrdiff_t ldc) {
    v16f sums[12][4];
#pragma clang loop unroll(full)
    for (int r = 0; r < R; r++)
#pragma clang loop unroll(full)
        for (int j = 0; j < C; j++) sums[r][j] = add ? load16(c + r * ldc + 16 * j) : (v16f)0.0f;
    for (ptrdiff_t k = 0; k < depth; k++) {
        v16f columns[4];
#pragma clang loop unroll(full)
        for (int j = 0; j < C; j++) columns[j] = load_either(b, b_is_narrow, k * ldb + 16 * j, 16);
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

INLINE void tile(
    const int R, const int C, const bool add, ptrdiff_t depth, const float *a, ptrdiff_t row, ptrdiff_t step,
    const float *b, ptrdiff_t ldb, float *c, ptrdiff_t ldc) {
    tile_of(R, C, add, depth, a, row, step, b, false, ldb, c, ldc);
}

/// Rows that will be read or written soon, asked for a few at a time between tiles. A head is a few lines of every row, far
/// apart, which the processor's own prefetching does not see coming; asked for all at once, they hold the products up.
typedef struct attention_ahead {
    struct {
        const float *start;
        ptrdiff_t stride, rows;
    } regions[8];
    int count, current;
    ptrdiff_t row, width;
} attention_ahead;

/// Adds rows of a head to what is asked for.
INLINE void ahead_add(attention_ahead *ahead, const float *start, ptrdiff_t stride, ptrdiff_t rows) {
    if (rows <= 0) return;
    ahead->regions[ahead->count].start = start;
    ahead->regions[ahead->count].stride = stride;
    ahead->regions[ahead->count++].rows = rows;
}

/// Asks for the next eight lines or one row.
static __attribute__((noinline, unused)) void ahead_step(attention_ahead *ahead) {
    for (ptrdiff_t floats = 0; floats < 128 && ahead->current < ahead->count; floats += ahead->width) {
        const float *row = ahead->regions[ahead->current].start + ahead->row * ahead->regions[ahead->current].stride;
        for (ptrdiff_t c = 0; c < ahead->width; c += 16) __builtin_prefetch(row + c, 0, 2);
        if (++ahead->row < ahead->regions[ahead->current].rows) continue;
        ahead->row = 0;
        ahead->current++;
    }
}

/// How far into a block of keys its rows see: row r the first seen[r] of `keys`, never less than the row before, but for the
/// first hidden[r] of them.
typedef struct attention_block {
    ptrdiff_t rows, keys;
    ptrdiff_t seen[ATTENTION_ROWS], hidden[ATTENTION_ROWS];
} attention_block;

/// The keys that some row of the tile from `row` on sees.
INLINE ptrdiff_t seen_by_tile(const attention_block *block, ptrdiff_t row, ptrdiff_t height) {
    ptrdiff_t last = row + height < block->rows ? row + height : block->rows;
    return block->seen[last - 1];
}

/// One tile of scores: a [TILE_ROWS, width] with rows `stride` apart times the panel's first 16 or 32 keys.
INLINE void score_tile(
    bool is_wide, ptrdiff_t width, const float *a, const ptrdiff_t stride, const float *panel, float *scores) {
#ifdef VITRAIL_WIDE
    if (is_wide) {
        tile(12, 2, false, width, a, stride, 1, panel, ATTENTION_PANEL, scores, ATTENTION_STRIDE);
    } else {
        tile(12, 1, false, width, a, stride, 1, panel, ATTENTION_PANEL, scores, ATTENTION_STRIDE);
    }
#else
    tile(6, 1, false, width, a, stride, 1, panel, ATTENTION_PANEL, scores, ATTENTION_STRIDE);
    if (is_wide) tile(6, 1, false, width, a, stride, 1, panel + 16, ATTENTION_PANEL, scores + 16, ATTENTION_STRIDE);
#endif
}

/// scores[rows, keys] = a · keys where a row sees something: a packed rows, keys in panels. Whole tiles of rows are read and
/// written; what comes of rows beyond the block's is not used.
INLINE void multiply_panels(
    const attention_block *block, ptrdiff_t width, const float *a, const float *panels, float *scores,
    attention_ahead *ahead) {
    const ptrdiff_t stride = attention_row_stride(width);
    for (ptrdiff_t p = 0; p < block->keys; p += ATTENTION_PANEL) {
        const float *panel = panels + p * width;
        for (ptrdiff_t r = 0; r < block->rows; r += TILE_ROWS) {
            ptrdiff_t seen = seen_by_tile(block, r, TILE_ROWS) - p;
            if (seen <= 0) continue;
            ahead_step(ahead);
            // A known distance of rows becomes part of the instructions.
            if (stride == ATTENTION_STRIDE) {
                score_tile(
                    seen > 16, width, a + r * ATTENTION_STRIDE, ATTENTION_STRIDE, panel,
                    scores + r * ATTENTION_STRIDE + p);
            } else {
                score_tile(seen > 16, width, a + r * stride, stride, panel, scores + r * ATTENTION_STRIDE + p);
            }
        }
    }
}

/// Rows of c [R, width] += a · b, all columns: element (r, k) of a stands at r · row + k · step.
INLINE void multiply_strip(
    ptrdiff_t depth, ptrdiff_t width, const float *a, const ptrdiff_t row, const ptrdiff_t step, const float *b,
    ptrdiff_t ldb, float *c) {
    ptrdiff_t column = 0;
#ifdef VITRAIL_WIDE
    for (; column + 64 <= width; column += 64) {
        tile(6, 4, true, depth, a, row, step, b + column, ldb, c + column, width);
        tile(6, 4, true, depth, a + 6 * row, row, step, b + column, ldb, c + 6 * width + column, width);
    }
    for (; column + 32 <= width; column += 32)
        tile(12, 2, true, depth, a, row, step, b + column, ldb, c + column, width);
    for (; column < width; column += 16)
        tile(12, 1, true, depth, a, row, step, b + column, ldb, c + column, width);
#else
    for (; column < width; column += 16)
        tile(6, 1, true, depth, a, row, step, b + column, ldb, c + column, width);
#endif
}

/// c[rows, width] += scores · b, b [keys, width] with rows `ldb` apart.
INLINE void multiply_scores(
    const attention_block *block, ptrdiff_t width, const float *scores, const float *b, ptrdiff_t ldb, float *c) {
    for (ptrdiff_t r = 0; r < block->rows; r += TILE_ROWS) {
        ptrdiff_t seen = seen_by_tile(block, r, TILE_ROWS);
        if (seen > 0)
            multiply_strip(seen, width, scores + r * ATTENTION_STRIDE, ATTENTION_STRIDE, 1, b, ldb, c + r * width);
    }
}

/// c[R, width] += scores · b for R rows, which are all that is read.
INLINE void multiply_short_strip(
    const int R, ptrdiff_t depth, ptrdiff_t width, const float *scores, const float *b, ptrdiff_t ldb, float *c) {
    ptrdiff_t column = 0;
#ifdef VITRAIL_WIDE
    for (; column + 64 <= width; column += 64)
        tile(R, 4, true, depth, scores, ATTENTION_STRIDE, 1, b + column, ldb, c + column, width);
#endif
    for (; column < width; column += 16)
        tile(R, 1, true, depth, scores, ATTENTION_STRIDE, 1, b + column, ldb, c + column, width);
}

/// c[rows, width] += scores · b for one to TILE_ROWS rows and `depth` of their keys. A whole tile would read rows of scores that
/// nobody wrote: wasted work, and where they hold denormal numbers, of a hundred times the time.
INLINE void multiply_few_scores(
    ptrdiff_t rows, ptrdiff_t depth, ptrdiff_t width, const float *scores, const float *b, ptrdiff_t ldb, float *c) {
    ptrdiff_t r = 0;
    for (; r + 4 <= rows; r += 4)
        multiply_short_strip(4, depth, width, scores + r * ATTENTION_STRIDE, b, ldb, c + r * width);
    scores += r * ATTENTION_STRIDE;
    c += r * width;
    switch (rows - r) {
        case 3: multiply_short_strip(3, depth, width, scores, b, ldb, c); break;
        case 2: multiply_short_strip(2, depth, width, scores, b, ldb, c); break;
        case 1: multiply_short_strip(1, depth, width, scores, b, ldb, c); break;
    }
}

/// c[keys, width] += scoresᵀ · b, b packed rows: for every tile of keys only the rows that see one of them.
INLINE void multiply_transposed(
    const attention_block *block, ptrdiff_t width, const float *scores, const float *b, float *c,
    attention_ahead *ahead) {
    const ptrdiff_t stride = attention_row_stride(width);
    ptrdiff_t first = 0;
    for (ptrdiff_t k = 0; k < block->keys; k += TILE_ROWS) {
        while (first < block->rows && block->seen[first] <= k) first++;
        ahead_step(ahead);
        multiply_strip(
            block->rows - first, width, scores + first * ATTENTION_STRIDE + k, 1, ATTENTION_STRIDE, b + first * stride,
            stride, c + k * width);
    }
}

/// Rows of a head with zeros beyond the head's width up to whole vectors, times `factor`.
INLINE void pack_rows(
    const float *source, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t used, float factor, float *destination,
    ptrdiff_t destination_stride) {
    for (ptrdiff_t r = 0; r < rows; r++) {
        EACH16(c, n, 0, used)
        store16(destination + r * destination_stride + c, load_n(source + r * stride + c, n) * factor);
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
            if (n >= 16 && k + 16 <= keys) {
                for (int i = 0; i < 16; i++) rows[i] = load16(source + (k + i) * stride + c);
            } else {
                for (int i = 0; i < 16; i++)
                    rows[i] = k + i < keys ? load_n(source + (k + i) * stride + c, n) : (v16f)0.0f;
            }
            transpose16(rows);
            for (int i = 0; i < 16; i++) store16(panel + (c + i) * ATTENTION_PANEL, rows[i]);
        }
    }
}
