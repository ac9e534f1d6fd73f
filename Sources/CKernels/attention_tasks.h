// Loops of attention.c: softmax in base 2 over blocks of keys (Milakov & Gimelshein 2018, Dao et al. 2022).

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

INLINE float *head_of(vitrail_matrix m, ptrdiff_t row, ptrdiff_t head, ptrdiff_t width) {
    return m.data + row * m.stride + head * width;
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

/// One row of scores, `seen` of them visible: scores become powers of two less the running maximum, which is updated with the
/// sum. Returns the factor for what was summed before.
INLINE float soften_row(float *scores, ptrdiff_t seen, ptrdiff_t keys, float *maximum, float *sum) {
    v16f peak = -__builtin_inff();
    EACH16(c, n, 0, seen) {
        v16f v = keep_n(load16(scores + c), n, -__builtin_inff());
        peak = v > peak ? v : peak;
    }
    float top = max16(peak);
    top = top > *maximum ? top : *maximum;
    v16f total = 0.0f;
    EACH16(c, n, 0, seen) {
        v16f p = keep_n(exp2_16(load16(scores + c) - top), n, 0.0f);
        store16(scores + c, p);
        total += p;
    }
    for (ptrdiff_t c = attention_round(seen, 16); c < keys; c += 16) store16(scores + c, 0.0f);
    float factor = exp2_16((v16f)(*maximum - top)).x;
    *sum = *sum * factor + sum16(total);
    *maximum = top;
    return factor;
}

static void attention_task(void *context, int part, int parts) {
    (void)parts;
    const attention_args *a = context;
    const attention_unit *unit = &a->units[part];
    const attention_view view = view_unit(a, unit);
    const ptrdiff_t width = view.width, heads = a->layout->query_heads;
    const ptrdiff_t keys = visible_keys(a, unit, &view), padded = attention_round(keys, ATTENTION_KEYS);
    float *panels = a->scratch + vitrail_pool_thread() * a->scratch_stride, *values = panels + padded * width;
    float *scores = values + padded * width, *rows = scores + ATTENTION_ROWS * ATTENTION_KEYS;
    float *sums = rows + ATTENTION_ROWS * width, *maximum = sums + ATTENTION_ROWS * width;
    float *total = maximum + ATTENTION_ROWS;
    pack_panels(
        head_of(a->key, view.key_row, view.head, view.used), a->key.stride, keys, view.used, width, panels);
    pack_rows(
        head_of(a->value, view.key_row, view.head, view.used), a->value.stride, keys, view.used, width, 1.0f, values);

    for (ptrdiff_t b = unit->first; b < unit->last; b++) {
        ptrdiff_t head = view.head * view.group + b / view.blocks, first = b % view.blocks * ATTENTION_ROWS;
        ptrdiff_t count = view.queries - first < ATTENTION_ROWS ? view.queries - first : ATTENTION_ROWS;
        ptrdiff_t whole = attention_round(count, TILE_ROWS);
        ptrdiff_t limit = attention_visible(a->layout, view.segment, first + count - 1);
        // `sums` holds the plain rows until they are turned into tiles.
        pack_rows(
            head_of(a->query, view.query_row + first, head, view.used), a->query.stride, count, view.used, width,
            a->layout->scale * 1.44269504f, sums);
        pack_tiles(sums, count, width, rows);
        memset(sums, 0, sizeof(float) * (size_t)(whole * width));
        for (ptrdiff_t r = 0; r < count; r++) {
            maximum[r] = -__builtin_inff();
            total[r] = 0.0f;
        }
        for (ptrdiff_t k = 0; k < limit; k += ATTENTION_KEYS) {
            ptrdiff_t n = limit - k < ATTENTION_KEYS ? limit - k : ATTENTION_KEYS;
            multiply_panels(whole, n, width, rows, panels + k * width, scores);
            for (ptrdiff_t r = 0; r < count; r++) {
                ptrdiff_t seen = attention_visible(a->layout, view.segment, first + r) - k;
                seen = seen < n ? seen : n;
                if (seen <= 0) {
                    memset(scores + r * ATTENTION_KEYS, 0, sizeof(float) * ATTENTION_KEYS);
                    continue;
                }
                float factor = soften_row(scores + r * ATTENTION_KEYS, seen, n, &maximum[r], &total[r]);
                if (factor != 1.0f && k > 0)
                    for (ptrdiff_t c = 0; c < width; c += 16)
                        store16(sums + r * width + c, load16(sums + r * width + c) * factor);
            }
            multiply_scores(whole, n, width, scores, ATTENTION_KEYS, 1, values + k * width, sums);
        }
        for (ptrdiff_t r = 0; r < count; r++) {
            float *destination = head_of(a->destination, view.query_row + first + r, head, view.used);
            float factor = total[r] > 0.0f ? 1.0f / total[r] : total[r];
            EACH16(c, n, 0, view.used) store_n(destination + c, load16(sums + r * width + c) * factor, n);
            if (a->log_sum_exp) {
                a->log_sum_exp[(view.query_row + first + r) * heads + head] =
                    total[r] == 0.0f ? -__builtin_inff()
                                     : (float)((double)maximum[r] * 0.693147180559945 + __builtin_log((double)total[r]));
            }
        }
    }
}

/// One row of a block in the gradient: scores become probabilities, and `slopes` (gradient · valueᵀ) the gradient of the scores.
INLINE void gradient_row(float *scores, float *slopes, ptrdiff_t seen, ptrdiff_t keys, float log_sum, float mean) {
    EACH16(c, n, 0, seen) {
        v16f p = keep_n(exp2_16(load16(scores + c) - log_sum), n, 0.0f);
        store16(scores + c, p);
        store16(slopes + c, keep_n(p * (load16(slopes + c) - mean), n, 0.0f));
    }
    for (ptrdiff_t c = seen > 0 ? attention_round(seen, 16) : 0; c < keys; c += 16) {
        store16(scores + c, 0.0f);
        store16(slopes + c, 0.0f);
    }
}

// With P = softmax(S), S = scale · Q Kᵀ, O = P V:  dV = Pᵀ dO,  dS = P ⊙ (dO Vᵀ − Σ dO ⊙ O),  dQ = scale · dS K,
// dK = scale · dSᵀ Q. Probabilities come back from the kept log-sum-exp.
static void attention_gradient_task(void *context, int part, int parts) {
    (void)parts;
    const attention_args *a = context;
    const attention_unit *unit = &a->units[part];
    const attention_view view = view_unit(a, unit);
    const ptrdiff_t width = view.width, used = view.used, heads = a->layout->query_heads;
    const ptrdiff_t keys = view.keys, padded = attention_round(keys, ATTENTION_KEYS);
    float *key_panels = a->scratch + vitrail_pool_thread() * a->scratch_stride;
    float *value_panels = key_panels + padded * width, *key_rows = value_panels + padded * width;
    float *into_key = key_rows + padded * width, *into_value = into_key + padded * width;
    float *scores = into_value + padded * width, *slopes = scores + ATTENTION_ROWS * ATTENTION_KEYS;
    float *query = slopes + ATTENTION_ROWS * ATTENTION_KEYS, *query_tiles = query + ATTENTION_ROWS * width;
    float *gradient = query_tiles + ATTENTION_ROWS * width, *gradient_tiles = gradient + ATTENTION_ROWS * width;
    float *into_query = gradient_tiles + ATTENTION_ROWS * width, *log_sum = into_query + ATTENTION_ROWS * width;
    float *mean = log_sum + ATTENTION_ROWS;
    if (a->splits > 1) {
        into_key = a->partials + unit->partial;
        into_value = into_key + padded * width;
    }
    memset(into_key, 0, sizeof(float) * (size_t)(padded * width));
    memset(into_value, 0, sizeof(float) * (size_t)(padded * width));
    const float *key = head_of(a->key, view.key_row, view.head, used);
    pack_panels(key, a->key.stride, keys, used, width, key_panels);
    pack_rows(key, a->key.stride, keys, used, width, 1.0f, key_rows);
    pack_panels(
        head_of(a->value, view.key_row, view.head, used), a->value.stride, keys, used, width, value_panels);

    for (ptrdiff_t b = unit->first; b < unit->last; b++) {
        ptrdiff_t head = view.head * view.group + b / view.blocks, first = b % view.blocks * ATTENTION_ROWS;
        ptrdiff_t count = view.queries - first < ATTENTION_ROWS ? view.queries - first : ATTENTION_ROWS;
        ptrdiff_t whole = attention_round(count, TILE_ROWS), row = view.query_row + first;
        ptrdiff_t limit = attention_visible(a->layout, view.segment, first + count - 1);
        pack_rows(
            head_of(a->query, row, head, used), a->query.stride, count, used, width,
            a->layout->scale * 1.44269504f, query);
        pack_tiles(query, count, width, query_tiles);
        pack_rows(head_of(a->gradient, row, head, used), a->gradient.stride, count, used, width, 1.0f, gradient);
        pack_tiles(gradient, count, width, gradient_tiles);
        memset(into_query, 0, sizeof(float) * (size_t)(whole * width));
        for (ptrdiff_t r = 0; r < count; r++) {
            const float *output = head_of(a->destination, row + r, head, used);
            v16f sum = 0.0f;
            EACH16(c, n, 0, used) sum += load_n(output + c, n) * load16(gradient + r * width + c);
            mean[r] = sum16(sum);
            log_sum[r] = a->log_sum_exp[(row + r) * heads + head] * 1.44269504f;
        }
        for (ptrdiff_t k = 0; k < limit; k += ATTENTION_KEYS) {
            ptrdiff_t n = limit - k < ATTENTION_KEYS ? limit - k : ATTENTION_KEYS;
            multiply_panels(whole, n, width, query_tiles, key_panels + k * width, scores);
            multiply_panels(whole, n, width, gradient_tiles, value_panels + k * width, slopes);
            for (ptrdiff_t r = 0; r < count; r++) {
                ptrdiff_t seen = attention_visible(a->layout, view.segment, first + r) - k;
                gradient_row(
                    scores + r * ATTENTION_KEYS, slopes + r * ATTENTION_KEYS, seen < n ? seen : n,
                    attention_round(n, TILE_ROWS), log_sum[r], mean[r]);
            }
            multiply_scores(
                attention_round(n, TILE_ROWS), count, width, scores, 1, ATTENTION_KEYS, gradient, into_value + k * width);
            multiply_scores(
                attention_round(n, TILE_ROWS), count, width, slopes, 1, ATTENTION_KEYS, query, into_key + k * width);
            multiply_scores(whole, n, width, slopes, ATTENTION_KEYS, 1, key_rows + k * width, into_query);
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

/// Adds the splits' gradients of keys and values in order; a part is one segment and head.
static void attention_gradient_combine_task(void *context, int part, int parts) {
    (void)parts;
    const attention_args *a = context;
    const attention_unit *units = &a->units[(ptrdiff_t)part * a->splits];
    const attention_view view = view_unit(a, units);
    const ptrdiff_t width = view.width, used = view.used, padded = attention_round(view.keys, ATTENTION_KEYS);
    for (ptrdiff_t k = 0; k < view.keys; k++) {
        float *to_key = head_of(a->into_key, view.key_row + k, view.head, used);
        float *to_value = head_of(a->into_value, view.key_row + k, view.head, used);
        EACH16(c, n, 0, used) {
            v16f key = 0.0f, value = 0.0f;
            for (int s = 0; s < a->splits; s++) {
                const float *partial = a->partials + units[s].partial + k * width + c;
                key += load16(partial);
                value += load16(partial + padded * width);
            }
            store_n(to_key + c, key * 0.693147181f, n);
            store_n(to_value + c, value, n);
        }
    }
}

/// Few queries and many keys: every key and value is read once for all heads of the group.
static void attention_decode_task(void *context, int part, int parts) {
    (void)parts;
    const attention_args *a = context;
    const attention_unit *unit = &a->units[part];
    const attention_view view = view_unit(a, unit);
    const ptrdiff_t width = view.width, used = view.used, stride = attention_partial(a->layout);
    ptrdiff_t begin = (ptrdiff_t)unit->first * ATTENTION_DECODE_KEYS, end = begin + ATTENTION_DECODE_KEYS;
    if (end > view.keys) end = view.keys;
    float *scores = a->scratch + vitrail_pool_thread() * a->scratch_stride;
    float *query = scores + ATTENTION_DECODE_KEYS;
    for (ptrdiff_t i = 0; i < view.queries; i++) {
        ptrdiff_t last = attention_visible(a->layout, view.segment, i);
        last = last < end ? last : end;
        for (ptrdiff_t g = 0; g < view.group; g++) {
            float *partial = a->partials + unit->partial + (i * view.group + g) * stride;
            memset(partial, 0, sizeof(float) * (size_t)stride);
            partial[0] = -__builtin_inff();
            if (last <= begin) continue;
            ptrdiff_t head = view.head * view.group + g;
            pack_rows(
                head_of(a->query, view.query_row + i, head, used), a->query.stride, 1, used, width,
                a->layout->scale * 1.44269504f, query);
            for (ptrdiff_t k = begin; k < last; k++) {
                const float *key = head_of(a->key, view.key_row + k, view.head, used);
                v16f sum = 0.0f;
                EACH16(c, n, 0, used) sum += load16(query + c) * load_n(key + c, n);
                scores[k - begin] = sum16(sum);
            }
            soften_row(scores, last - begin, last - begin, &partial[0], &partial[1]);
            for (ptrdiff_t k = begin; k < last; k++) {
                const float *value = head_of(a->value, view.key_row + k, view.head, used);
                float p = scores[k - begin];
                EACH16(c, n, 0, used)
                store16(partial + 16 + c, load16(partial + 16 + c) + p * load_n(value + c, n));
            }
        }
    }
}

/// Joins the chunks of a segment and head; units of one segment and head stand next to each other.
static void attention_combine_task(void *context, int part, int parts) {
    (void)parts;
    const attention_args *a = context;
    const ptrdiff_t heads = a->layout->query_heads, stride = attention_partial(a->layout);
    const attention_unit *units = a->units;
    const ptrdiff_t first = a->first_units[part], chunks = a->first_units[part + 1] - first;
    const attention_view view = view_unit(a, &units[first]);
    for (ptrdiff_t i = 0; i < view.queries * view.group; i++) {
        ptrdiff_t head = view.head * view.group + i % view.group, row = view.query_row + i / view.group;
        float top = -__builtin_inff(), total = 0.0f;
        for (ptrdiff_t s = 0; s < chunks; s++) {
            float m = a->partials[units[first + s].partial + i * stride];
            top = m > top ? m : top;
        }
        for (ptrdiff_t s = 0; s < chunks; s++) {
            float *partial = a->partials + units[first + s].partial + i * stride;
            partial[2] = partial[1] > 0.0f ? exp2_16((v16f)(partial[0] - top)).x : 0.0f;
            total += partial[1] * partial[2];
        }
        float factor = total > 0.0f ? 1.0f / total : total;
        float *destination = head_of(a->destination, row, head, view.used);
        EACH16(c, n, 0, view.used) {
            v16f sum = 0.0f;
            for (ptrdiff_t s = 0; s < chunks; s++) {
                const float *partial = a->partials + units[first + s].partial + i * stride;
                sum += load16(partial + 16 + c) * partial[2];
            }
            store_n(destination + c, sum * factor, n);
        }
        if (a->log_sum_exp) {
            a->log_sum_exp[row * heads + head] =
                total == 0.0f ? -__builtin_inff()
                              : (float)((double)top * 0.693147180559945 + __builtin_log((double)total));
        }
    }
}
