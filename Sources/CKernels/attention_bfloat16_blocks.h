// What attention's two passes with factors of bfloat16 share: packing, rounding, who sees what; not part of the module.
// Included within the attribute that turns the instructions on, by files that include what stands before it.
#ifndef ATTENTION_BFLOAT16_BLOCKS_H
#define ATTENTION_BFLOAT16_BLOCKS_H

void bfloat16_pack_a_16(uint16_t *, const void *, int64_t, bool, vitrail_element, int, int64_t, int64_t);
void bfloat16_pack_b(uint16_t *, const void *, int64_t, bool, vitrail_element, int, int64_t, int64_t);

/// Queries of a panel; keys whose scores are in the cache together; packed elements of 16 rows, or a panel, over 32 terms.
enum { QUERIES = 32, CHUNK = 256, GROUP = 16 * BLOCK_TERMS, PANEL = PANEL_COLUMNS * BLOCK_TERMS };
/// Panels that the gradient takes together, so that gradients of keys and values are visited less often.
enum { PANELS = ATTENTION_BFLOAT16_GRADIENT_ROWS / QUERIES };

INLINE ptrdiff_t lesser(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
INLINE ptrdiff_t blocks_of(ptrdiff_t terms) { return (terms + BLOCK_TERMS - 1) / BLOCK_TERMS; }

/// How much of a product of blocks exists; what else is computed of it is zero or not read. Tiles take whole blocks.
typedef struct {
    ptrdiff_t rows, columns, terms;
} extent;

/// Rows that are computed for `count` of them, and vectors for up to 32 columns: whole blocks, or as few as `multiply` goes by.
INLINE ptrdiff_t rows_for(ptrdiff_t count) { return WHOLE_BLOCKS ? blocks_of(count) * 32 : (count + 7) / 8 * 8; }
INLINE int halves_for(ptrdiff_t count) { return WHOLE_BLOCKS || count > 16 ? 2 : 1; }

INLINE vitrail_element type_of(vitrail_matrix m) { return m.is_bfloat16 ? VITRAIL_BFLOAT16 : VITRAIL_FLOAT32; }

/// Rows of a head as left factors: [rows / 16][blocks of the width][16][32], rows filled up to a multiple of 32 with zeros.
INLINE void pack_left(uint16_t *out, vitrail_matrix x, ptrdiff_t rows, ptrdiff_t width) {
    const ptrdiff_t blocks = blocks_of(width);
    for (ptrdiff_t r = 0; r < blocks_of(rows) * 32; r += 16, out += blocks * GROUP)
        bfloat16_pack_a_16(
            out, matrix_at(x, r, 0).data, x.stride, false, type_of(x), (int)(r < rows ? lesser(16, rows - r) : 0), width,
            blocks);
}

/// The same turned, rows being terms: [width / 16][blocks of rows][16][32].
INLINE void pack_left_turned(uint16_t *out, vitrail_matrix x, ptrdiff_t rows, ptrdiff_t width) {
    const ptrdiff_t blocks = blocks_of(rows);
    for (ptrdiff_t c = 0; c < blocks_of(width) * 32; c += 16, out += blocks * GROUP)
        bfloat16_pack_a_16(
            out, matrix_at(x, 0, c).data, x.stride, true, type_of(x), (int)(c < width ? lesser(16, width - c) : 0), rows,
            blocks);
}

/// Rows of a head as a right factor: rows of x across, its width down.
INLINE void pack_right_turned(uint16_t *out, vitrail_matrix x, ptrdiff_t rows, ptrdiff_t width) {
    bfloat16_pack_b(out, x.data, x.stride, true, type_of(x), (int)rows, width, blocks_of(width));
}

/// The nearest bfloat16 numbers.
INLINE v16f rounded16(v16f x) {
    return (v16f)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)x)), 16);
}

/// ln x for x > 0 to 1e-7: by the series of the inverse hyperbolic tangent.
INLINE v16f logarithm(v16f x) {
    v16f exponent = (v16f)_mm512_getexp_ps((__m512)x);
    v16f mantissa = (v16f)_mm512_getmant_ps((__m512)x, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src);
    exponent = mantissa > 1.41421356f ? exponent + 1.0f : exponent;
    mantissa = mantissa > 1.41421356f ? mantissa * 0.5f : mantissa;
    v16f s = (mantissa - 1.0f) / (mantissa + 1.0f), t = s * s;
    v16f series = ((((0.111111111f * t + 0.142857143f) * t + 0.2f) * t + 0.333333333f) * t + 1.0f) * s;
    return exponent * 0.693147181f + 2.0f * series;
}

/// Turned results [width, 32] to rows of a head, lane q times factors[q].
INLINE void store_turned(
    const float *turned, const float *factors, vitrail_matrix destination, ptrdiff_t count, ptrdiff_t width) {
    for (int half = 0; half < 2; half++) {
        const v16f factor = load16(factors + 16 * half);
        const ptrdiff_t rows = lesser(16, count - 16 * half);
        for (ptrdiff_t c = 0; c < width && rows > 0; c += 16) {
            __m512i square[16];
#pragma clang loop unroll(full)
            for (int i = 0; i < 16; i++) square[i] = (__m512i)(load16(turned + (c + i) * QUERIES + 16 * half) * factor);
            transpose_rows_16(square);
            const __mmask16 mask = (__mmask16)(width - c >= 16 ? 0xffff : (1 << (width - c)) - 1);
#pragma clang loop unroll(full)
            for (int i = 0; i < 16; i++) {
                if (i >= rows) continue;
                void *const to = matrix_at(destination, 16 * half + i, c).data;
                if (destination.is_bfloat16) {
                    _mm256_mask_storeu_epi16(to, mask, (__m256i)_mm512_cvtneps_pbh((__m512)square[i]));
                } else {
                    _mm512_mask_storeu_ps(to, mask, (__m512)square[i]);
                }
            }
        }
    }
}

typedef struct {
    ptrdiff_t segment, head, group, width, query_row, queries, key_row, keys;
    ptrdiff_t together;    // query heads whose rows follow each other, query by query
    ptrdiff_t rows, runs;  // of so many heads
} view_of_unit;

/// Runs have `run` rows of one query head, or of all heads that share the keys.
INLINE view_of_unit look(const attention_args *a, const attention_unit *unit, ptrdiff_t run, bool together) {
    const vitrail_attention_layout *layout = a->layout;
    view_of_unit view = {
        .segment = unit->segment,
        .head = unit->head,
        .group = layout->query_heads / layout->key_value_heads,
        .width = layout->width,
        .query_row = layout->query_offsets[unit->segment],
        .key_row = layout->key_starts[unit->segment],
        .keys = layout->key_counts[unit->segment],
    };
    view.queries = layout->query_offsets[unit->segment + 1] - view.query_row;
    view.together = together ? view.group : 1;
    view.rows = view.queries * view.together;
    view.runs = (view.rows + run - 1) / run;
    return view;
}

/// Rows that come next, asked for a few at a time while others are computed. A head is a line or two of every
/// row, far apart, which the processor's own prefetching does not see coming.
typedef struct {
    struct {
        const char *start;
        ptrdiff_t stride, bytes, rows;
    } regions[8];
    int count, current;
    ptrdiff_t row, lines, step;  // lines in all, and that are asked for at once
} rows_ahead;

/// Adds a head of `rows` rows.
INLINE void add_ahead(
    rows_ahead *ahead, vitrail_matrix m, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t head, ptrdiff_t width) {
    const ptrdiff_t element = m.is_bfloat16 ? 2 : 4;
    ahead->regions[ahead->count].start = (const char *)head_at(m, row, head, width).data;
    ahead->regions[ahead->count].stride = m.stride * element;
    ahead->regions[ahead->count].bytes = width * element;
    ahead->regions[ahead->count++].rows = rows;
    ahead->lines += rows * (width * element / 64 + 1);
}

/// Asks for the next lines.
INLINE void ask_ahead(rows_ahead *ahead) {
    for (ptrdiff_t lines = 0; lines < ahead->step && ahead->current < ahead->count;) {
        const ptrdiff_t bytes = ahead->regions[ahead->current].bytes;
        const char *row = ahead->regions[ahead->current].start + ahead->row * ahead->regions[ahead->current].stride;
        for (ptrdiff_t byte = 0; byte < bytes; byte += 64) __builtin_prefetch(row + byte, 0, 2);
        lines += bytes / 64 + 1;
        if (++ahead->row < ahead->regions[ahead->current].rows) continue;
        ahead->row = 0;
        ahead->current++;
    }
}

/// What run `b` of `rows` rows of a unit reads and writes, but for keys and values.
INLINE void add_run(
    rows_ahead *ahead, const attention_args *a, const view_of_unit *view, ptrdiff_t b, ptrdiff_t rows, bool gradient) {
    const ptrdiff_t first = b % view->runs * rows, last = lesser(first + rows, view->rows) - 1;
    const ptrdiff_t row = view->query_row + first / view->together, count = last / view->together - first / view->together + 1;
    const ptrdiff_t head = (view->head * view->group + b / view->runs) / view->together, width = view->width * view->together;
    add_ahead(ahead, a->query, row, count, head, width);
    add_ahead(ahead, a->destination, row, count, head, width);
    if (!gradient) return;
    add_ahead(ahead, a->gradient, row, count, head, width);
    add_ahead(ahead, a->into_query, row, count, head, width);
}

/// What is read and written behind run `b` of a unit, in `steps` steps: by the next run, or behind the last by the unit itself and by `next`,
/// the unit after it, or NULL.
INLINE rows_ahead ahead_of_run(
    const attention_args *a, const attention_unit *unit, const view_of_unit *view, const attention_unit *next,
    ptrdiff_t b, ptrdiff_t rows, bool gradient, ptrdiff_t steps) {
    rows_ahead ahead;
    ahead.count = ahead.current = 0;
    ahead.row = ahead.lines = 0;
    if (b + 1 < unit->last) {
        add_run(&ahead, a, view, b + 1, rows, gradient);
    } else {
        if (gradient) {
            add_ahead(&ahead, a->into_key, view->key_row, view->keys, view->head, view->width);
            add_ahead(&ahead, a->into_value, view->key_row, view->keys, view->head, view->width);
        }
        if (next) {
            const view_of_unit to = look(a, next, rows, view->together > 1);
            add_ahead(&ahead, a->key, to.key_row, to.keys, to.head, to.width);
            add_ahead(&ahead, a->value, to.key_row, to.keys, to.head, to.width);
            if (next->first < next->last) add_run(&ahead, a, &to, next->first, rows, gradient);
        }
    }
    ahead.step = ahead.lines / (steps < 1 ? 1 : steps) + 1;
    return ahead;
}

/// How many keys each of 32 rows from `first` on sees; lanes beyond the last row see what that one does, and nobody reads them.
/// Later rows see no fewer: the last lane sees the most, which is returned.
INLINE ptrdiff_t see(const attention_args *a, const view_of_unit *view, ptrdiff_t first, int32_t seen[QUERIES]) {
    const ptrdiff_t query = first / view->together, end = lesser(first + QUERIES, view->rows);
    const ptrdiff_t least = attention_visible(a->layout, view->segment, query);
    const ptrdiff_t most = attention_visible(a->layout, view->segment, (end - 1) / view->together);
    if (!a->layout->is_causal) {
        for (int q = 0; q < QUERIES; q++) seen[q] = (int32_t)most;
        return most;
    }
    // Where there are no more keys than a prefix, it is the same for all; elsewhere one more for each query.
    ptrdiff_t last = query + view->keys - view->queries + 1, head = first % view->together;
    for (int q = 0; q < QUERIES; q++) {
        const int32_t keys = (int32_t)last, floor = (int32_t)least;
        seen[q] = keys < floor ? floor : keys > (int32_t)most ? (int32_t)most : keys;
        if (++head == view->together) head = 0, last++;
    }
    return most;
}

/// Bytes of scratch that a thread needs for segments of at most `keys` keys.
static size_t scratch_bytes(const vitrail_attention_layout *layout, ptrdiff_t keys, bool gradient) {
    const ptrdiff_t depth = blocks_of(layout->width), key_blocks = blocks_of(keys);
    const ptrdiff_t packed = 2 * key_blocks * depth * GROUP;
    ptrdiff_t floats = CHUNK * QUERIES + 2 * depth * 32 * QUERIES, halves = 2 * packed + depth * PANEL + CHUNK * QUERIES;
    if (gradient) {
        floats = 2 * 32 * QUERIES + depth * 32 * QUERIES + 2 * key_blocks * 32 * depth * 32;
        halves = 3 * packed + 4 * PANELS * depth * PANEL + 4 * PANELS * GROUP + PANELS * key_blocks * PANEL;
    }
    return (size_t)(floats * 4 + halves * 2 + 4096 + 63) / 64 * 64;
}

#endif
