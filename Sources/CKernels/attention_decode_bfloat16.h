// Attention of few queries to many keys of bfloat16 by dot products of pairs, where there are no tiles: queries and probabilities are
// rounded as a prompt's are (attention_bfloat16_forward.h), so that no key and no value has to be widened. Included by
// attention_decode_tasks.h.

/// Rows of queries that share a reading of the values: with 64 columns 16 sums.
enum { PAIRED_ROWS = 4 };

/// Whether keys and values of such heads are multiplied as they lie. Processors with tiles widen them.
INLINE bool takes_pairs(const attention_args *a, const attention_view *view) {
    return a->layout->in_bfloat16 && a->key.is_bfloat16 && view->width % 32 == 0 && view->used == view->width
           && vitrail_cpu() == VITRAIL_CPU_AVX512_BF16;
}

/// Rounds `count` floats, a multiple of 32.
INLINE void round_pairs(const float *from, ptrdiff_t count, uint16_t *out) {
    for (ptrdiff_t i = 0; i < count; i += 32) {
        const __m512 low = (__m512)load16(from + i), high = (__m512)load16(from + i + 16);
        _mm512_storeu_si512(out + i, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
}

/// Memory that is asked for on the way, a few lines at each step: all at once, a processor drops most of it.
typedef struct {
    const char *next, *end;
} lines_ahead;

enum { LINES_A_STEP = 8 };

INLINE void ask_for_lines(lines_ahead *ahead) {
    const char *const next = ahead->next;
    if (ahead->end - next < 64 * LINES_A_STEP) return;
#pragma clang loop unroll(full)
    for (int i = 0; i < LINES_A_STEP; i++) __builtin_prefetch(next + 64 * i);
    ahead->next = next + 64 * LINES_A_STEP;
}

/// The keys and values of a unit, where those of all its rows follow each other.
INLINE lines_ahead lines_of_unit(const attention_args *a, const attention_unit *unit) {
    const vitrail_attention_layout *layout = a->layout;
    const ptrdiff_t columns = (unit->last - unit->head) * layout->width, first = (ptrdiff_t)unit->first * ATTENTION_DECODE_KEYS;
    const ptrdiff_t left = layout->key_counts[unit->segment] - first;
    const char *start = (const char *)head_at(a->key, layout->key_starts[unit->segment] + first, unit->head, layout->width).data;
    const bool is_whole = a->key.stride == 2 * columns && (const char *)a->value.data == (const char *)a->key.data + 2 * columns;
    const ptrdiff_t bytes = (left < ATTENTION_DECODE_KEYS ? left : ATTENTION_DECODE_KEYS) * 2 * a->key.stride;
    return (lines_ahead){start, is_whole ? start + bytes : start};
}

/// query · key i for up to 16 keys `stride` apart, with lanes beyond `keys` zero.
INLINE v16f dot_paired_keys(const uint16_t *query, const uint16_t *key, ptrdiff_t stride, ptrdiff_t keys, ptrdiff_t width) {
    v16f sums[16] = {0};
    if (keys >= 16) {
        for (ptrdiff_t c = 0; c < width; c += 32) {
            const __m512bh q = (__m512bh)_mm512_loadu_si512(query + c);
#pragma clang loop unroll(full)
            for (int i = 0; i < 16; i++) {
                const __m512bh k = (__m512bh)_mm512_loadu_si512(key + i * stride + c);
                sums[i] = (v16f)_mm512_dpbf16_ps((__m512)sums[i], q, k);
            }
        }
    } else {
        for (ptrdiff_t i = 0; i < keys; i++) {
            for (ptrdiff_t c = 0; c < width; c += 32) {
                const __m512bh q = (__m512bh)_mm512_loadu_si512(query + c), k = (__m512bh)_mm512_loadu_si512(key + i * stride + c);
                sums[i] = (v16f)_mm512_dpbf16_ps((__m512)sums[i], q, k);
            }
        }
    }
    return sums16(sums);
}

/// The scores of queries [rows, width], rounded, with a block of keys `stride` apart.
INLINE void score_pairs(
    const uint16_t *queries, ptrdiff_t rows, const uint16_t *key, ptrdiff_t stride, ptrdiff_t keys, ptrdiff_t width, float scale,
    float *scores, lines_ahead *ahead) {
    for (ptrdiff_t j = 0; j < keys; j += 16, key += 16 * stride) {
        for (ptrdiff_t r = 0; r < rows; r++) {
            ask_for_lines(ahead);
            store16(scores + r * ATTENTION_STRIDE + j, dot_paired_keys(queries + r * width, key, stride, keys - j, width) * scale);
        }
    }
}

/// values[R, 32 · C] = probabilities [R, keys] by the columns of values; R and C known where this is inlined.
INLINE void paired_values(
    const int R, const int C, ptrdiff_t keys, const uint16_t *probabilities, const uint16_t *value, ptrdiff_t stride, float *values,
    ptrdiff_t values_stride, lines_ahead *ahead) {
    // Of 32 columns of two keys, interleaved, one vector has the even quarters of each 8, another the odd ones.
    __m512 sums[PAIRED_ROWS][2 * 2];
#pragma clang loop unroll(full)
    for (int r = 0; r < R; r++)
#pragma clang loop unroll(full)
        for (int c = 0; c < 2 * C; c++) sums[r][c] = _mm512_setzero_ps();
    for (ptrdiff_t k = 0; k < keys; k += 2, value += 2 * stride) {
        if (k % 8 == 0) ask_for_lines(ahead);
        __m512bh pairs[2 * 2];
#pragma clang loop unroll(full)
        for (int c = 0; c < C; c++) {
            const __m512i one = _mm512_loadu_si512(value + 32 * c);
            const __m512i other = k + 1 < keys ? _mm512_loadu_si512(value + stride + 32 * c) : _mm512_setzero_si512();
            pairs[2 * c] = (__m512bh)_mm512_unpacklo_epi16(one, other);
            pairs[2 * c + 1] = (__m512bh)_mm512_unpackhi_epi16(one, other);
        }
#pragma clang loop unroll(full)
        for (int r = 0; r < R; r++) {
            int32_t two;
            memcpy(&two, probabilities + r * ATTENTION_STRIDE + k, sizeof two);
            const __m512bh factors = (__m512bh)_mm512_set1_epi32(two);
#pragma clang loop unroll(full)
            for (int c = 0; c < 2 * C; c++) sums[r][c] = _mm512_dpbf16_ps(sums[r][c], factors, pairs[c]);
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < R; r++)
#pragma clang loop unroll(full)
        for (int c = 0; c < 2 * C; c++) {
            const __m512 even = sums[r][c / 2 * 2], odd = sums[r][c / 2 * 2 + 1];
            const __m512 half = c % 2 == 0 ? _mm512_shuffle_f32x4(even, odd, 0x44) : _mm512_shuffle_f32x4(even, odd, 0xee);
            store16(values + r * values_stride + 16 * c, (v16f)_mm512_shuffle_f32x4(half, half, 0xd8));
        }
}

/// values[rows, width] = probabilities [rows, keys] · value, rounded for it.
INLINE void multiply_paired_values(
    ptrdiff_t rows, ptrdiff_t keys, const float *scores, const uint16_t *value, ptrdiff_t stride, float *values,
    ptrdiff_t values_stride, ptrdiff_t width, lines_ahead *ahead) {
    uint16_t probabilities[PAIRED_ROWS * ATTENTION_STRIDE];
    for (; rows > 0; rows -= PAIRED_ROWS, scores += PAIRED_ROWS * ATTENTION_STRIDE, values += PAIRED_ROWS * values_stride) {
        const ptrdiff_t count = rows < PAIRED_ROWS ? rows : PAIRED_ROWS;
        for (ptrdiff_t r = 0; r < count; r++) {
            round_pairs(scores + r * ATTENTION_STRIDE, attention_round(keys, 32), probabilities + r * ATTENTION_STRIDE);
        }
#define PAIRED_CASE(R)                                                                                                     \
    case R: {                                                                                                              \
        ptrdiff_t c = 0;                                                                                                   \
        for (; c + 64 <= width; c += 64) paired_values(R, 2, keys, probabilities, value + c, stride, values + c, values_stride, ahead); \
        if (c < width) paired_values(R, 1, keys, probabilities, value + c, stride, values + c, values_stride, ahead);                 \
        break;                                                                                                             \
    }
        switch (count) { PAIRED_CASE(1) PAIRED_CASE(2) PAIRED_CASE(3) PAIRED_CASE(4) }
#undef PAIRED_CASE
    }
}

/// Reads a word of each line of a chunk's keys and values for all heads of a unit. A processor drops what it is asked for while it waits for
/// much already, but sees coming what is read from end to end.
INLINE void read_chunk(const attention_args *a, const attention_unit *unit, const attention_view *view, ptrdiff_t keys) {
    const ptrdiff_t first = view->key_row + (ptrdiff_t)unit->first * ATTENTION_DECODE_KEYS;
    const ptrdiff_t bytes = (unit->last - unit->head) * view->width * (ptrdiff_t)sizeof(uint16_t);
    for (ptrdiff_t row = first; row < first + keys; row++) {
        const char *key = (const char *)head_at(a->key, row, unit->head, view->width).data;
        const char *value = (const char *)head_at(a->value, row, unit->head, view->width).data;
        for (ptrdiff_t byte = 0; byte < bytes; byte += 64) (void)*(const volatile char *)(key + byte);
        for (ptrdiff_t byte = 0; byte < bytes; byte += 64) (void)*(const volatile char *)(value + byte);
    }
}

/// As `decode_chunk`, but that a unit of several heads reads all that they need beforehand, and asks for lines of the next unit while it
/// multiplies.
INLINE void decode_paired_chunk(
    const attention_args *a, const attention_unit *unit, const attention_view *view, const attention_chunk *next, lines_ahead *ahead,
    float *partial) {
    _Static_assert(ATTENTION_DECODE_KEYS <= ATTENTION_KEYS, "a chunk is one block");
    const ptrdiff_t width = view->width, stride = attention_partial(a->layout), rows = view->queries * view->group;
    const ptrdiff_t begin = (ptrdiff_t)unit->first * ATTENTION_DECODE_KEYS;
    const uint16_t *key = (const uint16_t *)head_at(a->key, view->key_row + begin, view->head, width).data;
    const uint16_t *value = (const uint16_t *)head_at(a->value, view->key_row + begin, view->head, width).data;
    float *scores = a->scratch + vitrail_pool_thread() * a->scratch_stride;
    uint16_t *queries = (uint16_t *)(scores + TILE_ROWS * ATTENTION_STRIDE);
    softmax_state state;
    for (ptrdiff_t top = 0; top < rows; top += TILE_ROWS) {
        const ptrdiff_t count = rows - top < TILE_ROWS ? rows - top : TILE_ROWS;
        for (ptrdiff_t r = 0; r < count; r++) {
            const ptrdiff_t head = view->head * view->group + (top + r) % view->group;
            round_pairs(head_of(a->query, view->query_row + (top + r) / view->group, head, width), width, queries + r * width);
        }
        attention_block block = block_of_chunk(a, view, begin, top, count);
        if (unit->last - unit->head > 1) {
            if (top == 0 && view->head == unit->head) read_chunk(a, unit, view, block.keys);
        } else {
            for (ptrdiff_t j = 0; j < block.keys && next->segment >= 0; j += 16) ahead_of_keys(a, next, j);
        }
        score_pairs(queries, count, key, a->key.stride, block.keys, width, a->layout->scale * 1.44269504f, scores, ahead);
        softmax_start(&state, count);
        soften_block(&block, scores, &state, NULL, width, true);
        float *own = partial + top * stride;
        multiply_paired_values(
            count, seen_by_tile(&block, 0, TILE_ROWS), scores, value, a->value.stride, own + 16, stride, width, ahead);
        for (ptrdiff_t r = 0; r < count; r++) {
            own[r * stride] = state.maximum[r];
            own[r * stride + 1] = sum16(load16(state.sums[r]));
        }
    }
}
