// Attention with factors of bfloat16, for precisions that round them anyway. Included by files that bring `multiply`.
//
// Scores are computed turned, keys down and 32 queries across: what belongs to a query is then a lane of two vectors, so that
// maxima, sums and masks need no work across lanes, and probabilities leave as rows that the next product takes as they are.

/// Scores of a chunk of keys, [keys, 32], to probabilities as pairs of rows; `maximum` and `sum` are brought up to date. All 16 queries
/// see the first `all_see` keys.
/// Returns the factors for what was summed before.
INLINE void soften(
    const float *scores, ptrdiff_t keys, ptrdiff_t all_see, ptrdiff_t first_key, const v16i seen, float scale, v16f *maximum,
    v16f *sum, v16f *factor, uint16_t *pairs) {
    const v16f none = -__builtin_inff();
    // Four maxima side by side: one would wait for itself.
    v16f peaks[4] = {*maximum, *maximum, *maximum, *maximum};
    ptrdiff_t k = 0;
    for (; k + 4 <= lesser(keys, all_see); k += 4) {
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++)
            peaks[i] = (v16f)_mm512_max_ps((__m512)load16(scores + (k + i) * QUERIES), (__m512)peaks[i]);
    }
    v16f peak = (v16f)_mm512_max_ps(
        _mm512_max_ps((__m512)peaks[0], (__m512)peaks[1]), _mm512_max_ps((__m512)peaks[2], (__m512)peaks[3]));
    for (; k < keys; k++) {
        v16f s = (v16i)(int32_t)(first_key + k) < seen ? load16(scores + k * QUERIES) : none;
        peak = (v16f)_mm512_max_ps((__m512)s, (__m512)peak);
    }
    const v16f shift = peak > none ? peak * scale : (v16f)0.0f;
    *factor = exp2_16(*maximum * scale - shift);
    *factor = *maximum > none ? *factor : (v16f)0.0f;
    *maximum = peak;
    v16f total = *sum * *factor;
    for (k = 0; k < rows_for(keys); k += 2, pairs += 2 * PANEL_COLUMNS) {
        v16f p[2];
#pragma clang loop unroll(full)
        for (int i = 0; i < 2; i++) {
            p[i] = exp2_16(load16(scores + (k + i) * QUERIES) * scale - shift);
            if (k + i >= all_see) p[i] = (v16i)(int32_t)(first_key + k + i) < seen ? p[i] : (v16f)0.0f;
            total += p[i];
        }
        _mm512_storeu_si512(pairs, pairs_of(p[0], p[1]));
    }
    *sum = total;
}

/// Rows from `first` on of a matrix whose heads' rows follow each other, query by query, to `rows` [count, width], or back.
INLINE void copy_rows(
    const view_of_unit *view, vitrail_matrix m, ptrdiff_t first, ptrdiff_t count, char *rows, bool back) {
    const ptrdiff_t bytes = view->width * (m.is_bfloat16 ? 2 : 4), head = view->head * view->group;
    ptrdiff_t query = view->query_row + first / view->together, nth = first % view->together;
    char *row = (char *)head_at(m, query, head + nth, view->width).data;
    for (ptrdiff_t i = 0; i < count; i++, rows += bytes) {
        char *const to = back ? row : rows;
        const char *const from = back ? rows : row;
        for (ptrdiff_t byte = 0; byte < bytes; byte += 64) {
            const __mmask64 mask = bytes - byte >= 64 ? ~0ull : (1ull << (bytes - byte)) - 1;
            _mm512_mask_storeu_epi8(to + byte, mask, _mm512_maskz_loadu_epi8(mask, from + byte));
        }
        row += bytes;
        if (++nth < view->together) continue;
        nth = 0;
        row = (char *)head_at(m, ++query, head, view->width).data;
    }
}

static void unit_forward(const attention_args *a, const attention_unit *unit, const attention_unit *next) {
    const view_of_unit view = look(a, unit, ATTENTION_BFLOAT16_ROWS, HEADS_TOGETHER);
    const ptrdiff_t width = view.width, heads = a->layout->query_heads, depth = blocks_of(width);
    const ptrdiff_t key_blocks = blocks_of(view.keys);
    char *scratch = (char *)(a->scratch + vitrail_pool_thread() * a->scratch_stride);
    float *scores = (float *)scratch, *turned = scores + CHUNK * QUERIES, *own = turned + depth * 32 * QUERIES;
    uint16_t *key = (uint16_t *)(own + depth * 32 * QUERIES), *value = key + 2 * key_blocks * depth * GROUP;
    uint16_t *query = value + 2 * depth * key_blocks * GROUP, *pairs = query + depth * PANEL;
    const float scale = a->layout->scale * 1.44269504f;
    pack_left(key, head_at(a->key, view.key_row, view.head, width), view.keys, width);
    pack_left_turned(value, head_at(a->value, view.key_row, view.head, width), view.keys, width);
    for (ptrdiff_t b = unit->first; b < unit->last; b++) {
        const ptrdiff_t head = view.head * view.group + b / view.runs, first = b % view.runs * QUERIES;
        const ptrdiff_t count = lesser(QUERIES, view.rows - first), row = view.query_row + first;
        int32_t seen[QUERIES] __attribute__((aligned(64)));
        const ptrdiff_t limit = see(a, &view, first, seen);
        vitrail_matrix queries = head_at(a->query, row, head, width), destination = head_at(a->destination, row, head, width);
        if (view.together > 1) {
            queries.data = destination.data = own;
            queries.stride = destination.stride = width;
            copy_rows(&view, a->query, first, count, (char *)own, false);
        }
        pack_right_turned(query, queries, count, width);
        const int halves = halves_for(count);
        rows_ahead ahead = ahead_of_run(a, unit, &view, next, b, ATTENTION_BFLOAT16_ROWS, false, 4);
        ask_ahead(&ahead);
        v16f maximum[2], sum[2], factor[2];
        for (int half = 0; half < 2; half++) maximum[half] = -__builtin_inff(), sum[half] = 0.0f;
        if (limit == 0) memset(turned, 0, sizeof(float) * (size_t)(depth * 32 * QUERIES));
        for (ptrdiff_t k = 0; k < limit; k += CHUNK) {
            const ptrdiff_t keys = lesser(CHUNK, limit - k);
            ask_ahead(&ahead);
            for (ptrdiff_t block = 0; block < blocks_of(keys); block++)
                multiply(
                    (extent){lesser(32, keys - 32 * block), count, width},
                    key + (k / 16 + 2 * block) * depth * GROUP, depth * GROUP, query, scores + block * 32 * QUERIES,
                    QUERIES, false);
            for (int half = 0; half < halves; half++) {
                ask_ahead(&ahead);
                v16i lanes;
                memcpy(&lanes, seen + 16 * half, sizeof lanes);
                soften(
                    scores + 16 * half, keys, seen[16 * half] - k, k, lanes, scale, &maximum[half], &sum[half], &factor[half],
                    pairs + 32 * half);
            }
            if (k > 0) {
                for (ptrdiff_t c = 0; c < depth * 32; c++) {
                    for (int half = 0; half < halves; half++) {
                        float *lanes = turned + c * QUERIES + 16 * half;
                        store16(lanes, load16(lanes) * factor[half]);
                    }
                }
            }
            for (ptrdiff_t c = 0; c < depth; c++)
                multiply(
                    (extent){lesser(32, width - 32 * c), count, keys}, value + (2 * c * key_blocks + k / 32) * GROUP,
                    key_blocks * GROUP, pairs, turned + c * 32 * QUERIES, QUERIES, k > 0);
        }
        float factors[QUERIES];
        for (int half = 0; half < 2; half++)
            store16(factors + 16 * half, sum[half] == 0.0f ? (v16f)0.0f : 1.0f / sum[half]);
        store_turned(turned, factors, destination, count, width);
        if (view.together > 1) copy_rows(&view, a->destination, first, count, (char *)own, true);
        if (!a->log_sum_exp) continue;
        float logs[QUERIES];
        for (int half = 0; half < 2; half++) {
            v16f log = maximum[half] * a->layout->scale + logarithm(sum[half]);
            store16(logs + 16 * half, sum[half] == 0.0f ? (v16f)-__builtin_inff() : log);
        }
        for (ptrdiff_t q = 0; q < count; q++) {
            const ptrdiff_t lane = first + q;
            a->log_sum_exp[(view.query_row + lane / view.together) * heads + head + lane % view.together] = logs[q];
        }
    }
}

static void forward_task(void *context, int part, int parts) {
    const attention_args *a = context;
    ptrdiff_t begin, end;
    vitrail_share(a->unit_count, 1, part, parts, &begin, &end);
    start_multiplying();
    for (ptrdiff_t u = begin; u < end; u++) unit_forward(a, &a->units[u], u + 1 < end ? &a->units[u + 1] : NULL);
    stop_multiplying();
}
