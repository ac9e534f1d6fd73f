// Attention of few queries to many keys: every key and value is read once for all heads of the group.

/// scores[i] = query · key i for up to 16 keys `stride` apart, floats or bfloat16, with lanes beyond `keys` zero.
INLINE v16f dot_keys(
    const float *query, const void *key, const bool is_narrow, ptrdiff_t stride, ptrdiff_t keys, ptrdiff_t used) {
    v16f sums[16] = {0};
    if (keys >= 16) {
        EACH16(c, n, 0, used) {
            v16f q = load16(query + c);
#pragma clang loop unroll(full)
            for (int i = 0; i < 16; i++) sums[i] += q * load_either(key, is_narrow, i * stride + c, n);
        }
    } else {
        for (ptrdiff_t i = 0; i < keys; i++) {
            EACH16(c, n, 0, used) sums[i] += load16(query + c) * load_either(key, is_narrow, i * stride + c, n);
        }
    }
    return sums16(sums);
}

/// Rows of queries up to which narrow keys and values are widened in registers, for each row anew: the memory that they would be widened
/// into costs more, for between two layers a token's weights push it out of the caches.
enum { FEW_ROWS = 4 };

/// As `multiply_few_scores`, for up to FEW_ROWS rows of whole vectors of bfloat16.
INLINE void multiply_narrow_values(
    ptrdiff_t rows, ptrdiff_t depth, ptrdiff_t width, const float *scores, const void *narrow, ptrdiff_t stride,
    float *values) {
#define NARROW_TILE(R, C)                                                                                              \
    tile_of(                                                                                                           \
        R, C, true, depth, scores, ATTENTION_STRIDE, 1, (const float *)((const uint16_t *)narrow + column), true, stride, \
        values + column, width)
#define NARROW_CASE(R)                                                                                                 \
    case R: {                                                                                                          \
        ptrdiff_t column = 0;                                                                                          \
        for (; column + 64 <= width; column += 64) NARROW_TILE(R, 4);                                                  \
        for (; column < width; column += 16) NARROW_TILE(R, 1);                                                        \
        break;                                                                                                         \
    }
    switch (rows) { NARROW_CASE(1) NARROW_CASE(2) NARROW_CASE(3) NARROW_CASE(4) }
#undef NARROW_CASE
#undef NARROW_TILE
}

/// Keys or values of bfloat16 as floats, whole vectors of each.
INLINE void widen_keys(
    const uint16_t *source, ptrdiff_t stride, ptrdiff_t keys, ptrdiff_t used, float *out, ptrdiff_t width) {
    for (ptrdiff_t r = 0; r < keys; r++, source += stride, out += width) {
        EACH16(c, n, 0, used) store16(out + c, load_brain_n(source + c, n));
    }
}

/// A head of a chunk of keys; `segment` is negative for none.
typedef struct attention_chunk {
    ptrdiff_t segment, key, head;
} attention_chunk;

/// Asks for a head's part of keys [from, from + 16) of a chunk and their values.
INLINE void ahead_of_keys(const attention_args *a, const attention_chunk *chunk, ptrdiff_t from) {
    const vitrail_attention_layout *layout = a->layout;
    const ptrdiff_t bytes = layout->width * (a->key.is_bfloat16 ? 2 : 4);
    const ptrdiff_t first = chunk->key + from, left = layout->key_counts[chunk->segment] - first;
    for (ptrdiff_t i = 0; i < (left < 16 ? left : 16); i++) {
        const ptrdiff_t row = layout->key_starts[chunk->segment] + first + i;
        const char *k = (const char *)head_at(a->key, row, chunk->head, layout->width).data;
        const char *v = (const char *)head_at(a->value, row, chunk->head, layout->width).data;
        for (ptrdiff_t byte = 0; byte < bytes; byte += 64) {
            __builtin_prefetch(k + byte);
            __builtin_prefetch(v + byte);
        }
    }
}

/// The block of keys from `first` on for `count` rows of queries and heads of the group from `top` on.
INLINE attention_block block_of_chunk(
    const attention_args *a, const attention_view *view, ptrdiff_t first, ptrdiff_t top, ptrdiff_t count) {
    const ptrdiff_t left = view->keys - first;
    attention_block block = {.rows = count, .keys = left < ATTENTION_KEYS ? left : ATTENTION_KEYS};
    for (ptrdiff_t r = 0; r < count; r++) {
        ptrdiff_t seen = attention_visible(a->layout, view->segment, (top + r) / view->group) - first;
        block.seen[r] = seen < 0 ? 0 : seen < block.keys ? seen : block.keys;
        ptrdiff_t hidden = attention_hidden(a->layout, view->segment, (top + r) / view->group) - first;
        block.hidden[r] = hidden < 0 ? 0 : hidden < block.keys ? hidden : block.keys;
    }
    return block;
}

/// A chunk of keys of one segment and head: for each query and head of the group a maximum, a sum and `width` values, the rows
/// of `partial`. What `next` reads is asked for on the way.
INLINE void decode_chunk(
    const attention_args *a, const attention_unit *unit, const attention_view *view, const attention_chunk *next,
    float *partial) {
    const ptrdiff_t width = view->width, used = view->used, stride = attention_partial(a->layout);
    const ptrdiff_t rows = view->queries * view->group, begin = (ptrdiff_t)unit->first * ATTENTION_DECODE_KEYS;
    const bool is_narrow = a->key.is_bfloat16;
    ptrdiff_t end = begin + ATTENTION_DECODE_KEYS;
    end = end < view->keys ? end : view->keys;
    float *queries = a->scratch + vitrail_pool_thread() * a->scratch_stride;
    for (ptrdiff_t i = 0; i < rows; i++) {
        ptrdiff_t head = view->head * view->group + i % view->group;
        pack_rows(
            head_of(a->query, view->query_row + i / view->group, head, used), a->query.stride, 1, used,
            a->layout->scale * 1.44269504f, queries + i * width, width);
    }
    softmax_state state;
    // Blocks of the tiles' height in rows, so that one pass over the keys serves them all.
    for (ptrdiff_t top = 0; top < rows; top += TILE_ROWS) {
        ptrdiff_t count = rows - top < TILE_ROWS ? rows - top : TILE_ROWS;
        float *scores = queries + attention_round(rows, TILE_ROWS) * width;
        float *values = scores + TILE_ROWS * ATTENTION_STRIDE, *wide = values + TILE_ROWS * width;
        const bool is_direct = is_narrow && count <= FEW_ROWS && used == width;
        memset(values, 0, sizeof(float) * (size_t)(count * width));
        softmax_start(&state, count);
        for (ptrdiff_t k = begin; k < end; k += ATTENTION_KEYS) {
            attention_block block = block_of_chunk(a, view, k, top, count);
            for (ptrdiff_t j = 0; j < block.keys; j += 16) {
                const void *key = head_at(a->key, view->key_row + k + j, view->head, a->layout->width).data;
                const ptrdiff_t keys = block.keys - j < 16 ? block.keys - j : 16;
                if (next->segment >= 0) ahead_of_keys(a, next, k - begin + j);
                if (is_direct) {
                    for (ptrdiff_t r = 0; r < count; r++) {
                        store16(
                            scores + r * ATTENTION_STRIDE + j,
                            dot_keys(queries + (top + r) * width, key, true, a->key.stride, keys, used));
                    }
                    continue;
                }
                if (is_narrow) widen_keys(key, a->key.stride, keys, used, wide, width);
                for (ptrdiff_t r = 0; r < count; r++) {
                    v16f dots = dot_keys(
                        queries + (top + r) * width, is_narrow ? wide : key, false, is_narrow ? width : a->key.stride, keys,
                        is_narrow ? width : used);
                    store16(scores + r * ATTENTION_STRIDE + j, dots);
                }
            }
            soften_block(&block, scores, &state, values, width, k == begin);
            const ptrdiff_t depth = seen_by_tile(&block, 0, TILE_ROWS);
            const void *value = head_at(a->value, view->key_row + k, view->head, a->layout->width).data;
            if (is_direct) {
                multiply_narrow_values(count, depth, width, scores, value, a->value.stride, values);
            } else if (is_narrow) {
                for (ptrdiff_t j = 0; j < depth; j += ATTENTION_WIDENED) {
                    const ptrdiff_t keys = depth - j < ATTENTION_WIDENED ? depth - j : ATTENTION_WIDENED;
                    const uint16_t *narrow = (const uint16_t *)value + j * a->value.stride;
                    widen_keys(narrow, a->value.stride, keys, used, wide, width);
                    multiply_few_scores(count, keys, width, scores + j, wide, width, values);
                }
            } else if (used % 16 == 0) {
                multiply_few_scores(count, depth, width, scores, value, a->value.stride, values);
            } else {
                for (ptrdiff_t r = 0; r < count; r++)
                    for (ptrdiff_t j = 0; j < block.seen[r]; j++) {
                        float p = scores[r * ATTENTION_STRIDE + j], *sums = values + r * width;
                        const float *one = (const float *)value + j * a->value.stride;
                        EACH16(c, n, 0, used)
                        store16(sums + c, load16(sums + c) + p * load_n(one + c, n));
                    }
            }
        }
        for (ptrdiff_t r = 0; r < count; r++) {
            float *row = partial + (top + r) * stride;
            row[0] = state.maximum[r];
            row[1] = sum16(load16(state.sums[r]));
            memcpy(row + 16, values + r * width, sizeof(float) * (size_t)width);
        }
    }
}

#ifdef VITRAIL_ROUNDS
#include "attention_decode_bfloat16.h"
#endif

/// A part is a chunk of keys of one segment and some heads.
static void attention_decode_task(void *context, int part, int parts) {
    const attention_args *a = context;
    const attention_unit *unit = &a->units[part], *after = part + 1 < parts ? unit + 1 : NULL;
    attention_view view = view_unit(a, unit);
    float *partial = a->partials + unit->partial;
#ifdef VITRAIL_ROUNDS
    lines_ahead ahead = {0};
    if (after && unit->last - unit->head > 1) ahead = lines_of_unit(a, after);
#endif
    for (; view.head < unit->last; view.head++) {
        attention_chunk next = {.segment = view.segment, .key = unit->first, .head = view.head + 1};
        if (next.head == unit->last && after) {
            next = (attention_chunk){.segment = after->segment, .key = after->first, .head = after->head};
        } else if (next.head == unit->last) {
            next.segment = -1;
        }
        next.key *= ATTENTION_DECODE_KEYS;
#ifdef VITRAIL_ROUNDS
        if (takes_pairs(a, &view)) {
            decode_paired_chunk(a, unit, &view, &next, &ahead, partial);
        } else
#endif
            decode_chunk(a, unit, &view, &next, partial);
        partial += view.queries * view.group * attention_partial(a->layout);
    }
}

/// Joins the chunks of a part's segment and head.
static void attention_combine_task(void *context, int part, int parts) {
    (void)parts;
    const attention_args *a = context;
    const vitrail_attention_layout *layout = a->layout;
    const ptrdiff_t heads = layout->query_heads, stride = attention_partial(layout);
    const attention_unit unit = {
        .segment = (int32_t)(part / layout->key_value_heads), .head = (int32_t)(part % layout->key_value_heads)};
    const attention_view view = view_unit(a, &unit);
    const ptrdiff_t rows = view.queries * view.group, step = layout->key_value_heads * rows * stride;
    if (rows == 0) return;
    const ptrdiff_t first = a->segment_partials[unit.segment];
    const ptrdiff_t chunks = (a->segment_partials[unit.segment + 1] - first) / step;
    float *const partials = a->partials + first + view.head * rows * stride;
    for (ptrdiff_t i = 0; i < rows; i++) {
        ptrdiff_t head = view.head * view.group + i % view.group, row = view.query_row + i / view.group;
        float top = -__builtin_inff(), total = 0.0f;
        for (ptrdiff_t s = 0; s < chunks; s++) {
            float maximum = partials[s * step + i * stride];
            top = maximum > top ? maximum : top;
        }
        for (ptrdiff_t s = 0; s < chunks; s++) {
            float *partial = partials + s * step + i * stride;
            partial[2] = partial[1] == 0.0f ? 0.0f : exp2_16((v16f)(partial[0] - top)).x;
            total += partial[1] * partial[2];
        }
        float *destination = head_of(a->destination, row, head, view.used);
        float factor = total == 0.0f ? 0.0f : 1.0f / total;
        EACH16(c, n, 0, view.used) {
            v16f sum = 0.0f;
            for (ptrdiff_t s = 0; s < chunks; s++) {
                const float *partial = partials + s * step + i * stride;
                sum += load16(partial + 16 + c) * partial[2];
            }
            store_n(destination + c, sum * factor, n);
        }
        if (a->log_sum_exp) a->log_sum_exp[row * heads + head] = log_sum_exp(top, total);
    }
}
