// How attention divides into units of work; included by kernel_table.h.

/// Query rows of one block, a multiple of every tile's height, and keys, a multiple of a panel's width; floats from one row of
/// scores to the next, with room for the last tile of keys, and from one packed row of a narrow head to the next.
enum { ATTENTION_ROWS = 48, ATTENTION_KEYS = 128, ATTENTION_STRIDE = 144, ATTENTION_PANEL = 32 };
/// Segments with at most this many queries stream their keys instead of packing them.
enum { ATTENTION_DECODE_ROWS = 4, ATTENTION_DECODE_KEYS = 128 };
/// Keys or values of bfloat16 that are widened at once, to stay in the first-level cache.
enum { ATTENTION_WIDENED = 32 };

/// The queries [first, last) of one segment and key-value head, counted in blocks of ATTENTION_ROWS rows, head after head
/// of the group. For decoding, first is the number of a chunk of ATTENTION_DECODE_KEYS keys, of the heads from `head` to `last`.
typedef struct attention_unit {
    int32_t segment, head, first, last;
    ptrdiff_t partial;  // offset into `partials`
} attention_unit;

typedef struct attention_args {
    const vitrail_attention_layout *layout;
    vitrail_matrix query, key, value, destination, gradient, into_query, into_key, into_value;
    float *log_sum_exp;
    const attention_unit *units;
    ptrdiff_t unit_count;
    const ptrdiff_t *segment_partials;  // decoding: where each segment's partials begin, chunk by chunk and head by head
    int splits;               // units of one segment and head, next to each other
    ptrdiff_t longest;        // most keys of a segment
    float *scratch;           // scratch_stride floats for every thread
    ptrdiff_t scratch_stride;
    float *partials;
} attention_args;

static inline ptrdiff_t attention_round(ptrdiff_t count, ptrdiff_t multiple) {
    return (count + multiple - 1) / multiple * multiple;
}

/// The part of a matrix of either type that begins at a row and column.
static inline vitrail_matrix matrix_at(vitrail_matrix m, ptrdiff_t row, ptrdiff_t column) {
    m.data = (float *)((char *)m.data + (row * m.stride + column) * (m.is_bfloat16 ? 2 : 4));
    return m;
}

/// The part of a matrix of either type that begins at a head of a row.
static inline vitrail_matrix head_at(vitrail_matrix m, ptrdiff_t row, ptrdiff_t head, ptrdiff_t width) {
    return matrix_at(m, row, head * width);
}

/// Where a head of a row of floats begins.
static inline float *head_of(vitrail_matrix m, ptrdiff_t row, ptrdiff_t head, ptrdiff_t width) {
    return m.data + row * m.stride + head * width;
}

/// Width of a head in scratch memory.
static inline ptrdiff_t attention_width(const vitrail_attention_layout *layout) {
    return attention_round(layout->width, 16);
}

/// Rows that packed keys take: whole panels, and a whole tile after the last key.
static inline ptrdiff_t attention_padded(ptrdiff_t keys) {
    return attention_round(keys, ATTENTION_PANEL) + 16;
}

/// Floats from one packed query row to the next: the same for all usual widths.
static inline ptrdiff_t attention_row_stride(ptrdiff_t width) {
    return width <= ATTENTION_STRIDE ? ATTENTION_STRIDE : width;
}

/// Floats of scratch that a thread needs for units with at most `keys` keys.
static inline ptrdiff_t attention_scratch(const vitrail_attention_layout *layout, ptrdiff_t keys, bool gradient) {
    ptrdiff_t width = attention_width(layout), padded = attention_padded(keys);
    ptrdiff_t block = ATTENTION_ROWS * ATTENTION_STRIDE, rows = ATTENTION_ROWS * attention_row_stride(width);
    ptrdiff_t sums = ATTENTION_ROWS * width;
    return gradient ? 5 * padded * width + 2 * block + 2 * rows + sums : 2 * padded * width + block + rows + sums;
}

/// Floats of scratch that a thread needs to decode `rows` query rows: the rows, a tile's height of scores and values, and keys or
/// values that were bfloat16.
static inline ptrdiff_t attention_decode_scratch(const vitrail_attention_layout *layout, ptrdiff_t rows) {
    ptrdiff_t width = attention_width(layout);
    return (attention_round(rows, 12) + 12 + ATTENTION_WIDENED) * width + 12 * ATTENTION_STRIDE;
}

/// Floats of one decoding partial: a row's maximum, sum and weighted values.
static inline ptrdiff_t attention_partial(const vitrail_attention_layout *layout) {
    return attention_width(layout) + 16;
}

/// Keys of segment `s` before those that query `row` sees: what lies beyond its window.
static inline ptrdiff_t attention_hidden(const vitrail_attention_layout *layout, ptrdiff_t s, ptrdiff_t row) {
    if (layout->window <= 0 || !layout->is_causal) return 0;
    ptrdiff_t keys = layout->key_counts[s], queries = layout->query_offsets[s + 1] - layout->query_offsets[s];
    ptrdiff_t hidden = row + keys - queries + 1 - layout->window;
    return hidden < 0 ? 0 : hidden < keys ? hidden : keys;
}

/// Where the keys end that query `row` of segment `s` sees.
static inline ptrdiff_t attention_visible(const vitrail_attention_layout *layout, ptrdiff_t s, ptrdiff_t row) {
    ptrdiff_t keys = layout->key_counts[s];
    if (!layout->is_causal) return keys;
    ptrdiff_t queries = layout->query_offsets[s + 1] - layout->query_offsets[s];
    ptrdiff_t visible = row + keys - queries + 1, prefix = layout->prefix_counts ? layout->prefix_counts[s] : 0;
    visible = visible > prefix ? visible : prefix;
    return visible < 0 ? 0 : visible < keys ? visible : keys;
}
