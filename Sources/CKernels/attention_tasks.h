// Attention and its gradient over blocks of queries and keys (Dao et al. 2022); a part is one unit of work.

/// What a unit of work looks at.
typedef struct attention_view {
    ptrdiff_t segment, head, group, width, used;
    ptrdiff_t query_row, queries, key_row, keys, blocks;  // blocks of one query head
} attention_view;

INLINE attention_view view_unit(const attention_args *a, const attention_unit *unit) {
    const vitrail_attention_layout *layout = a->layout;
    attention_view view = {
        .segment = unit->segment,
        .head = unit->head,
        .group = layout->query_heads / layout->key_value_heads,
        .width = attention_width(layout),
        .used = layout->width,
        .query_row = layout->query_offsets[unit->segment],
        .key_row = layout->key_starts[unit->segment],
        .keys = layout->key_counts[unit->segment],
    };
    view.queries = layout->query_offsets[unit->segment + 1] - view.query_row;
    view.blocks = (view.queries + ATTENTION_ROWS - 1) / ATTENTION_ROWS;
    return view;
}

/// Most keys that any block of the unit sees.
INLINE ptrdiff_t visible_keys(const attention_args *a, const attention_unit *unit, const attention_view *view) {
    ptrdiff_t most = 0;
    for (ptrdiff_t b = unit->first; b < unit->last; b++) {
        ptrdiff_t last = b % view->blocks * ATTENTION_ROWS + ATTENTION_ROWS;
        ptrdiff_t visible =
            attention_visible(a->layout, view->segment, (last < view->queries ? last : view->queries) - 1);
        most = visible > most ? visible : most;
    }
    return most;
}

/// The block of at most ATTENTION_KEYS keys from `key` on, for `rows` queries from `first` on; `limit` keys are seen by any of them.
INLINE attention_block block_at(
    const attention_args *a, const attention_view *view, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t key,
    ptrdiff_t limit) {
    attention_block block = {.rows = rows, .keys = limit - key < ATTENTION_KEYS ? limit - key : ATTENTION_KEYS};
    for (ptrdiff_t r = 0; r < rows; r++) {
        ptrdiff_t seen = attention_visible(a->layout, view->segment, first + r) - key;
        block.seen[r] = seen < 0 ? 0 : seen < block.keys ? seen : block.keys;
        ptrdiff_t hidden = attention_hidden(a->layout, view->segment, first + r) - key;
        block.hidden[r] = hidden < 0 ? 0 : hidden < block.keys ? hidden : block.keys;
    }
    return block;
}

/// Where the first block of keys begins that queries from `first` on see any of.
INLINE ptrdiff_t first_block(const attention_args *a, const attention_view *view, ptrdiff_t first) {
    return attention_hidden(a->layout, view->segment, first) / ATTENTION_KEYS * ATTENTION_KEYS;
}

/// Will read share `part` of `parts` of the keys and values that the unit after this one packs.
INLINE void ahead_of_unit(
    attention_ahead *ahead, const attention_args *a, const attention_unit *next, ptrdiff_t part, ptrdiff_t parts) {
    ptrdiff_t keys = a->layout->key_counts[next->segment], begin = keys * part / parts;
    ptrdiff_t row = a->layout->key_starts[next->segment] + begin, rows = keys * (part + 1) / parts - begin;
    ahead_add(ahead, head_of(a->key, row, next->head, ahead->width), a->key.stride, rows);
    ahead_add(ahead, head_of(a->value, row, next->head, ahead->width), a->value.stride, rows);
}

/// Will use the query rows of block `b` of a unit in `m`.
INLINE void ahead_of_block(attention_ahead *ahead, vitrail_matrix m, const attention_view *view, ptrdiff_t b) {
    ptrdiff_t first = b % view->blocks * ATTENTION_ROWS, left = view->queries - first;
    ahead_add(
        ahead, head_of(m, view->query_row + first, view->head * view->group + b / view->blocks, view->used), m.stride,
        left < ATTENTION_ROWS ? left : ATTENTION_ROWS);
}

/// Zeroes the packed rows that fill up the last tile, so that no tile meets what scratch memory held before.
INLINE void clear_tile_rest(float *rows, ptrdiff_t count, ptrdiff_t stride) {
    memset(rows + count * stride, 0, sizeof(float) * (size_t)((attention_round(count, TILE_ROWS) - count) * stride));
}

static void attention_unit_forward(const attention_args *a, const attention_unit *unit, const attention_unit *next) {
    const attention_view view = view_unit(a, unit);
    const ptrdiff_t width = view.width, used = view.used, heads = a->layout->query_heads;
    const ptrdiff_t keys = visible_keys(a, unit, &view), padded = attention_padded(keys);
    float *panels = a->scratch + vitrail_pool_thread() * a->scratch_stride, *values = panels + padded * width;
    float *scores = values + padded * width, *sums = scores + ATTENTION_ROWS * ATTENTION_STRIDE;
    float *query = sums + ATTENTION_ROWS * width;
    const ptrdiff_t stride = attention_row_stride(width);
    const float *value = head_of(a->value, view.key_row, view.head, used);
    pack_panels(head_of(a->key, view.key_row, view.head, used), a->key.stride, keys, used, width, panels);
    pack_rows(value, a->value.stride, keys, used, 1.0f, values, width);

    for (ptrdiff_t b = unit->first; b < unit->last; b++) {
        ptrdiff_t head = view.head * view.group + b / view.blocks, first = b % view.blocks * ATTENTION_ROWS;
        ptrdiff_t count = view.queries - first < ATTENTION_ROWS ? view.queries - first : ATTENTION_ROWS;
        ptrdiff_t limit = attention_visible(a->layout, view.segment, first + count - 1), row = view.query_row + first;
        pack_rows(
            head_of(a->query, row, head, used), a->query.stride, count, used, a->layout->scale * 1.44269504f, query,
            stride);
        clear_tile_rest(query, count, stride);
        attention_ahead ahead = {.width = used};
        ahead_of_block(&ahead, a->destination, &view, b);
        if (b + 1 < unit->last) ahead_of_block(&ahead, a->query, &view, b + 1);
        if (next) ahead_of_unit(&ahead, a, next, b - unit->first, unit->last - unit->first);
        memset(sums, 0, sizeof(float) * (size_t)(ATTENTION_ROWS * width));
        softmax_state state;
        softmax_start(&state, ATTENTION_ROWS);
        const ptrdiff_t start = first_block(a, &view, first);
        for (ptrdiff_t k = start; k < limit; k += ATTENTION_KEYS) {
            const attention_block block = block_at(a, &view, first, count, k, limit);
            multiply_panels(&block, width, query, panels + k * width, scores, &ahead);
            soften_block(&block, scores, &state, sums, width, k == start);
            multiply_scores(&block, width, scores, values + k * width, width, sums);
        }
        for (ptrdiff_t r = 0; r < count; r++) {
            float *destination = head_of(a->destination, row + r, head, used), total = sum16(load16(state.sums[r]));
            float factor = total == 0.0f ? 0.0f : 1.0f / total;
            EACH16(c, n, 0, used) store_n(destination + c, load16(sums + r * width + c) * factor, n);
            if (a->log_sum_exp) a->log_sum_exp[(row + r) * heads + head] = log_sum_exp(state.maximum[r], total);
        }
    }
}

/// A part is a run of units.
static void attention_task(void *context, int part, int parts) {
    const attention_args *a = context;
    ptrdiff_t begin, end;
    vitrail_share(a->unit_count, 1, part, parts, &begin, &end);
    for (ptrdiff_t u = begin; u < end; u++)
        attention_unit_forward(a, &a->units[u], u + 1 < end ? &a->units[u + 1] : NULL);
}

// With P = softmax(S), S = scale · Q Kᵀ, O = P V:  dV = Pᵀ dO,  dS = P ⊙ (dO Vᵀ − Σ dO ⊙ O),  dQ = scale · dS K,
// dK = scale · dSᵀ Q. Probabilities come back from the kept log-sum-exp.
static void attention_unit_gradient(const attention_args *a, const attention_unit *unit, const attention_unit *next) {
    const attention_view view = view_unit(a, unit);
    const ptrdiff_t width = view.width, used = view.used, heads = a->layout->query_heads;
    const ptrdiff_t keys = view.keys, padded = attention_padded(keys), stride = attention_row_stride(width);
    float *key_panels = a->scratch + vitrail_pool_thread() * a->scratch_stride;
    float *value_panels = key_panels + padded * width, *key_rows = value_panels + padded * width;
    float *into_key = key_rows + padded * width, *into_value = into_key + padded * width;
    float *scores = into_value + padded * width, *slopes = scores + ATTENTION_ROWS * ATTENTION_STRIDE;
    float *query = slopes + ATTENTION_ROWS * ATTENTION_STRIDE, *gradient = query + ATTENTION_ROWS * stride;
    float *into_query = gradient + ATTENTION_ROWS * stride;
    float log_sum[ATTENTION_ROWS], mean[ATTENTION_ROWS];
    if (a->splits > 1) {
        into_key = a->partials + unit->partial;
        into_value = into_key + padded * width;
    }
    memset(into_key, 0, sizeof(float) * (size_t)(padded * width));
    memset(into_value, 0, sizeof(float) * (size_t)(padded * width));
    const float *key = head_of(a->key, view.key_row, view.head, used);
    const float *value = head_of(a->value, view.key_row, view.head, used);
    pack_panels(key, a->key.stride, keys, used, width, key_panels);
    pack_rows(key, a->key.stride, keys, used, 1.0f, key_rows, width);
    pack_panels(value, a->value.stride, keys, used, width, value_panels);

    for (ptrdiff_t b = unit->first; b < unit->last; b++) {
        ptrdiff_t head = view.head * view.group + b / view.blocks, first = b % view.blocks * ATTENTION_ROWS;
        ptrdiff_t count = view.queries - first < ATTENTION_ROWS ? view.queries - first : ATTENTION_ROWS;
        ptrdiff_t limit = attention_visible(a->layout, view.segment, first + count - 1), row = view.query_row + first;
        pack_rows(
            head_of(a->query, row, head, used), a->query.stride, count, used, a->layout->scale * 1.44269504f, query,
            stride);
        pack_rows(head_of(a->gradient, row, head, used), a->gradient.stride, count, used, 1.0f, gradient, stride);
        clear_tile_rest(query, count, stride);
        clear_tile_rest(gradient, count, stride);
        memset(into_query, 0, sizeof(float) * (size_t)(ATTENTION_ROWS * width));
        for (ptrdiff_t r = 0; r < count; r++) {
            const float *output = head_of(a->destination, row + r, head, used);
            v16f sum = 0.0f;
            EACH16(c, n, 0, used) sum += load_n(output + c, n) * load16(gradient + r * stride + c);
            mean[r] = sum16(sum);
            log_sum[r] = a->log_sum_exp[(row + r) * heads + head] * 1.44269504f;
        }
        attention_ahead ahead = {.width = used};
        ahead_of_block(&ahead, a->into_query, &view, b);
        if (b + 1 < unit->last) {
            ahead_of_block(&ahead, a->query, &view, b + 1);
            ahead_of_block(&ahead, a->gradient, &view, b + 1);
            ahead_of_block(&ahead, a->destination, &view, b + 1);
        }
        if (next) ahead_of_unit(&ahead, a, next, b - unit->first, unit->last - unit->first);
        for (ptrdiff_t k = first_block(a, &view, first); k < limit; k += ATTENTION_KEYS) {
            const attention_block block = block_at(a, &view, first, count, k, limit);
            multiply_panels(&block, width, query, key_panels + k * width, scores, &ahead);
            multiply_panels(&block, width, gradient, value_panels + k * width, slopes, &ahead);
            gradient_block(&block, scores, slopes, log_sum, mean);
            multiply_transposed(&block, width, scores, gradient, into_value + k * width, &ahead);
            multiply_transposed(&block, width, slopes, query, into_key + k * width, &ahead);
            multiply_scores(&block, width, slopes, key_rows + k * width, width, into_query);
        }
        for (ptrdiff_t r = 0; r < count; r++) {
            float *destination = head_of(a->into_query, row + r, head, used);
            EACH16(c, n, 0, used)
            store_n(destination + c, load16(into_query + r * width + c) * a->layout->scale, n);
        }
    }
    if (a->splits > 1) return;
    for (ptrdiff_t k = 0; k < keys; k++) {
        float *to_key = head_of(a->into_key, view.key_row + k, view.head, used);
        float *to_value = head_of(a->into_value, view.key_row + k, view.head, used);
        // The queries were multiplied by scale · log₂e, so ln 2 is left of the scale.
        EACH16(c, n, 0, used) store_n(to_key + c, load16(into_key + k * width + c) * 0.693147181f, n);
        EACH16(c, n, 0, used) store_n(to_value + c, load16(into_value + k * width + c), n);
    }
}

/// A part is a run of units.
static void attention_gradient_task(void *context, int part, int parts) {
    const attention_args *a = context;
    ptrdiff_t begin, end;
    vitrail_share(a->unit_count, 1, part, parts, &begin, &end);
    for (ptrdiff_t u = begin; u < end; u++)
        attention_unit_gradient(a, &a->units[u], u + 1 < end ? &a->units[u + 1] : NULL);
}

/// Adds the splits' gradients of keys and values in order; a part is one segment and head.
static void attention_gradient_combine_task(void *context, int part, int parts) {
    (void)parts;
    const attention_args *a = context;
    const attention_unit *units = &a->units[(ptrdiff_t)part * a->splits];
    const attention_view view = view_unit(a, units);
    const ptrdiff_t width = view.width, used = view.used, padded = attention_padded(view.keys);
    for (ptrdiff_t k = 0; k < view.keys; k++) {
        const ptrdiff_t to_key = (view.key_row + k) * a->into_key.stride + view.head * used;
        const ptrdiff_t to_value = (view.key_row + k) * a->into_value.stride + view.head * used;
        EACH16(c, n, 0, used) {
            v16f key = 0.0f, value = 0.0f;
            for (int s = 0; s < a->splits; s++) {
                const float *partial = a->partials + units[s].partial + k * width + c;
                key += load16(partial);
                value += load16(partial + padded * width);
            }
            store_either(a->into_key.data, a->into_key.is_bfloat16, to_key + c, key * 0.693147181f, n);
            store_either(a->into_value.data, a->into_value.is_bfloat16, to_value + c, value, n);
        }
    }
}
