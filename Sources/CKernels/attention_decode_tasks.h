// Attention of few queries to many keys: every key and value is read once for all heads of the group.

/// scores[i] = query · key i for up to 16 keys `stride` apart, with lanes beyond `keys` zero.
INLINE v16f dot_keys(const float *query, const float *key, ptrdiff_t stride, ptrdiff_t keys, ptrdiff_t used) {
    v16f sums[16] = {0};
    if (keys >= 16) {
        EACH16(c, n, 0, used) {
            v16f q = load16(query + c);
#pragma clang loop unroll(full)
            for (int i = 0; i < 16; i++) sums[i] += q * load_n(key + i * stride + c, n);
        }
    } else {
        for (ptrdiff_t i = 0; i < keys; i++) {
            EACH16(c, n, 0, used) sums[i] += load16(query + c) * load_n(key + i * stride + c, n);
        }
    }
    return sums16(sums);
}

/// A part is a chunk of keys of one segment and head: for each query and head of the group a maximum, a sum and `width` values.
static void attention_decode_task(void *context, int part, int parts) {
    (void)parts;
    const attention_args *a = context;
    const attention_unit *unit = &a->units[part];
    const attention_view view = view_unit(a, unit);
    const ptrdiff_t width = view.width, used = view.used, stride = attention_partial(a->layout);
    const ptrdiff_t rows = view.queries * view.group, begin = (ptrdiff_t)unit->first * ATTENTION_DECODE_KEYS;
    ptrdiff_t end = begin + ATTENTION_DECODE_KEYS;
    end = end < view.keys ? end : view.keys;
    float *queries = a->scratch + vitrail_pool_thread() * a->scratch_stride;
    for (ptrdiff_t i = 0; i < rows; i++) {
        ptrdiff_t head = view.head * view.group + i % view.group;
        pack_rows(
            head_of(a->query, view.query_row + i / view.group, head, used), a->query.stride, 1, used,
            a->layout->scale * 1.44269504f, queries + i * width, width);
    }
    softmax_state state;
    // Blocks of the tiles' height in rows, so that one pass over the keys serves them all.
    for (ptrdiff_t top = 0; top < rows; top += TILE_ROWS) {
        ptrdiff_t count = rows - top < TILE_ROWS ? rows - top : TILE_ROWS;
        float *scores = queries + attention_round(rows, TILE_ROWS) * width;
        float *values = scores + TILE_ROWS * ATTENTION_STRIDE;
        memset(values, 0, sizeof(float) * (size_t)(TILE_ROWS * width));
        softmax_start(&state);
        for (ptrdiff_t k = begin; k < end; k += ATTENTION_KEYS) {
            attention_block block = {.rows = count, .keys = end - k < ATTENTION_KEYS ? end - k : ATTENTION_KEYS};
            for (ptrdiff_t r = 0; r < count; r++) {
                ptrdiff_t seen = attention_visible(a->layout, view.segment, (top + r) / view.group) - k;
                block.seen[r] = seen < 0 ? 0 : seen < block.keys ? seen : block.keys;
                ptrdiff_t hidden = attention_hidden(a->layout, view.segment, (top + r) / view.group) - k;
                block.hidden[r] = hidden < 0 ? 0 : hidden < block.keys ? hidden : block.keys;
            }
            for (ptrdiff_t j = 0; j < block.keys; j += 16) {
                const float *key = head_of(a->key, view.key_row + k + j, view.head, used);
                for (ptrdiff_t r = 0; r < count; r++) {
                    v16f dots = dot_keys(queries + (top + r) * width, key, a->key.stride, block.keys - j, used);
                    store16(scores + r * ATTENTION_STRIDE + j, dots);
                }
            }
            soften_block(&block, scores, &state, values, width, k == begin);
            const float *value = head_of(a->value, view.key_row + k, view.head, used);
            if (used % 16 == 0) {
                multiply_few_scores(&block, width, scores, value, a->value.stride, values);
            } else {
                for (ptrdiff_t r = 0; r < count; r++)
                    for (ptrdiff_t j = 0; j < block.seen[r]; j++) {
                        float p = scores[r * ATTENTION_STRIDE + j], *sums = values + r * width;
                        EACH16(c, n, 0, used)
                        store16(sums + c, load16(sums + c) + p * load_n(value + j * a->value.stride + c, n));
                    }
            }
        }
        for (ptrdiff_t r = 0; r < count; r++) {
            float *partial = a->partials + unit->partial + (top + r) * stride;
            partial[0] = state.maximum[r];
            partial[1] = sum16(load16(state.sums[r]));
            memcpy(partial + 16, values + r * width, sizeof(float) * (size_t)width);
        }
    }
}

/// Joins the chunks of a part's segment and head.
static void attention_combine_task(void *context, int part, int parts) {
    (void)parts;
    const attention_args *a = context;
    const ptrdiff_t heads = a->layout->query_heads, stride = attention_partial(a->layout);
    const ptrdiff_t first = a->first_units[part], chunks = a->first_units[part + 1] - first;
    const attention_unit *units = a->units + first;
    const attention_view view = view_unit(a, units);
    for (ptrdiff_t i = 0; i < view.queries * view.group; i++) {
        ptrdiff_t head = view.head * view.group + i % view.group, row = view.query_row + i / view.group;
        float top = -__builtin_inff(), total = 0.0f;
        for (ptrdiff_t s = 0; s < chunks; s++) {
            float maximum = a->partials[units[s].partial + i * stride];
            top = maximum > top ? maximum : top;
        }
        for (ptrdiff_t s = 0; s < chunks; s++) {
            float *partial = a->partials + units[s].partial + i * stride;
            partial[2] = partial[1] == 0.0f ? 0.0f : exp2_16((v16f)(partial[0] - top)).x;
            total += partial[1] * partial[2];
        }
        float *destination = head_of(a->destination, row, head, view.used);
        float factor = total == 0.0f ? 0.0f : 1.0f / total;
        EACH16(c, n, 0, view.used) {
            v16f sum = 0.0f;
            for (ptrdiff_t s = 0; s < chunks; s++) {
                const float *partial = a->partials + units[s].partial + i * stride;
                sum += load16(partial + 16 + c) * partial[2];
            }
            store_n(destination + c, sum * factor, n);
        }
        if (a->log_sum_exp) a->log_sum_exp[row * heads + head] = log_sum_exp(top, total);
    }
}
