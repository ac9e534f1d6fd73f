// The gradient of attention with factors of bfloat16, see attention_bfloat16_forward.h. Included by files that bring `multiply`.

/// What the gradient knows of a panel of 32 queries.
typedef struct {
    int32_t seen[QUERIES];
    float log_sum[QUERIES], mean[QUERIES];  // log-sum-exp in base 2, Σ dy ⊙ y
    ptrdiff_t limit, all_see, count;
} panel_state;

/// Probabilities and slopes of 32 keys (rows) and 32 queries: as rows of left factors, and slopes as pairs of rows too.
INLINE void slope(
    const float *scores, const float *products, const panel_state *panel, ptrdiff_t first_key, ptrdiff_t rows, float scale,
    uint16_t *probabilities, uint16_t *slopes, ptrdiff_t group, uint16_t *pairs) {
    const v16f log_low = load16(panel->log_sum), log_high = load16(panel->log_sum + 16);
    const v16f mean_low = load16(panel->mean), mean_high = load16(panel->mean + 16);
    v16i seen_low, seen_high;
    memcpy(&seen_low, panel->seen, sizeof seen_low);
    memcpy(&seen_high, panel->seen + 16, sizeof seen_high);
    const bool all = first_key + 32 <= panel->all_see;
    for (ptrdiff_t k = 0; k < rows_for(rows); k += 2) {
        v16f s[2][2];
#pragma clang loop unroll(full)
        for (int i = 0; i < 2; i++) {
            const float *row = scores + (k + i) * QUERIES, *product = products + (k + i) * QUERIES;
            v16f low = exp2_16(load16(row) * scale - log_low), high = exp2_16(load16(row + 16) * scale - log_high);
            if (!all) {
                const v16i number = (int32_t)(first_key + k + i);
                low = number < seen_low ? low : (v16f)0.0f;
                high = number < seen_high ? high : (v16f)0.0f;
            }
            s[i][0] = low * (load16(product) - mean_low);
            s[i][1] = high * (load16(product + 16) - mean_high);
            if (!all) {
                const v16i number = (int32_t)(first_key + k + i);
                s[i][0] = number < seen_low ? s[i][0] : (v16f)0.0f;
                s[i][1] = number < seen_high ? s[i][1] : (v16f)0.0f;
            }
            const ptrdiff_t at = (k + i) / 16 * group + (k + i) % 16 * BLOCK_TERMS;
            _mm512_storeu_si512(probabilities + at, (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low));
            _mm512_storeu_si512(slopes + at, (__m512i)_mm512_cvtne2ps_pbh((__m512)s[i][1], (__m512)s[i][0]));
        }
        _mm512_storeu_si512(pairs + k / 2 * 2 * PANEL_COLUMNS, pairs_of(s[0][0], s[1][0]));
        _mm512_storeu_si512(pairs + k / 2 * 2 * PANEL_COLUMNS + 32, pairs_of(s[0][1], s[1][1]));
    }
}

/// Σ x ⊙ y of 16 rows of bfloat16, of which `count` exist, as one vector.
INLINE v16f dots_of_rows(vitrail_matrix x, vitrail_matrix y, ptrdiff_t count, ptrdiff_t width) {
    __m512 sums[16];
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) {
        sums[i] = _mm512_setzero_ps();
        if (i >= count) continue;
        const uint16_t *a = (const uint16_t *)x.data + i * x.stride, *b = (const uint16_t *)y.data + i * y.stride;
        for (ptrdiff_t c = 0; c < width; c += 32) {
            const __mmask32 mask = width - c >= 32 ? 0xffffffffu : (1u << (width - c)) - 1;
            sums[i] = _mm512_dpbf16_ps(
                sums[i], (__m512bh)_mm512_maskz_loadu_epi16(mask, a + c), (__m512bh)_mm512_maskz_loadu_epi16(mask, b + c));
        }
    }
    // Sums of lanes: of two rows in turn, of four, and of the vectors' quarters.
#pragma clang loop unroll(full)
    for (int i = 0; i < 8; i++)
        sums[i] = _mm512_unpacklo_ps(sums[2 * i], sums[2 * i + 1]) + _mm512_unpackhi_ps(sums[2 * i], sums[2 * i + 1]);
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        const __m512d low = (__m512d)sums[2 * i], high = (__m512d)sums[2 * i + 1];
        sums[i] = (__m512)_mm512_unpacklo_pd(low, high) + (__m512)_mm512_unpackhi_pd(low, high);
    }
#pragma clang loop unroll(full)
    for (int step = 2; step > 0; step /= 2) {
#pragma clang loop unroll(full)
        for (int i = 0; i < step; i++) {
            const __m512 low = sums[2 * i], high = sums[2 * i + 1];
            sums[i] = _mm512_shuffle_f32x4(low, high, 0x88) + _mm512_shuffle_f32x4(low, high, 0xdd);
        }
    }
    return (v16f)sums[0];
}

/// Log-sum-exp and Σ dy ⊙ y of a panel's queries; what lies beyond the last query gives probabilities of zero.
static void prepare(const attention_args *a, const view_of_unit *view, ptrdiff_t first, ptrdiff_t head, panel_state *panel) {
    const ptrdiff_t width = view->width, heads = a->layout->query_heads;
    const ptrdiff_t count = lesser(QUERIES, view->queries - first), start = view->query_row + first;
    panel->limit = see(a, view, first, panel->seen);
    panel->all_see = panel->seen[0];
    panel->count = count;
    for (ptrdiff_t q = 0; q < QUERIES; q++) {
        const bool sees = q < count && panel->seen[q] > 0;
        panel->log_sum[q] = sees ? a->log_sum_exp[(start + q) * heads + head] * 1.44269504f : __builtin_inff();
    }
    const vitrail_matrix output = head_at(a->destination, start, head, width);
    const vitrail_matrix gradient = head_at(a->gradient, start, head, width);
    if (output.is_bfloat16 && gradient.is_bfloat16) {
        for (ptrdiff_t q = 0; q < QUERIES; q += 16) {
            const v16f sums = dots_of_rows(matrix_at(output, q, 0), matrix_at(gradient, q, 0), count - q, width);
            // What nobody sees is none of a row's probabilities, and its sum may be anything.
            v16f logs = load16(panel->log_sum + q);
            store16(panel->mean + q, logs < __builtin_inff() ? sums : (v16f)0.0f);
        }
        return;
    }
    for (ptrdiff_t q = 0; q < QUERIES; q++) {
        panel->mean[q] = 0.0f;
        if (q >= count || panel->seen[q] == 0) continue;
        const vitrail_matrix y = matrix_at(output, q, 0), dy = matrix_at(gradient, q, 0);
        v16f sum = 0.0f;
        // Rounded as the product with the values has it: where one key takes everything, the two cancel.
        EACH16(c, n, 0, width) {
            const v16f g = rounded16(load_either(dy.data, dy.is_bfloat16, c, n));
            sum += load_either(y.data, y.is_bfloat16, c, n) * g;
        }
        panel->mean[q] = sum16(sum);
    }
}

/// A row of sums, filled up to a multiple of 32, times `factor`.
INLINE void store_row(const float *sums, float factor, vitrail_matrix to, ptrdiff_t width) {
    if (!to.is_bfloat16) {
        EACH16(c, n, 0, width) store_n(to.data + c, load16(sums + c) * factor, n);
        return;
    }
    for (ptrdiff_t c = 0; c < width; c += 32) {
        const __mmask32 mask = width - c >= 32 ? 0xffffffffu : (1u << (width - c)) - 1;
        const __m512 low = (__m512)(load16(sums + c) * factor), high = (__m512)(load16(sums + c + 16) * factor);
        _mm512_mask_storeu_epi16((uint16_t *)to.data + c, mask, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
}

// With P = softmax(S), S = scale · Q Kᵀ, O = P V:  dV = Pᵀ dO,  dS = P ⊙ (dO Vᵀ − Σ dO ⊙ O),  dQ = scale · dS K,
// dK = scale · dSᵀ Q.
static void unit_gradient(const attention_args *a, const attention_unit *unit, const attention_unit *next) {
    const view_of_unit view = look(a, unit, ATTENTION_BFLOAT16_GRADIENT_ROWS, false);
    const ptrdiff_t width = view.width, depth = blocks_of(width), key_blocks = blocks_of(view.keys);
    const ptrdiff_t packed = 2 * key_blocks * depth * GROUP, columns = depth * 32;
    char *scratch = (char *)(a->scratch + vitrail_pool_thread() * a->scratch_stride);
    float *scores = (float *)scratch, *products = scores + 32 * QUERIES, *turned = products + 32 * QUERIES;
    float *into_key = turned + columns * QUERIES, *into_value = into_key + key_blocks * 32 * columns;
    uint16_t *key = (uint16_t *)(into_value + key_blocks * 32 * columns), *value = key + packed;
    uint16_t *key_turned = value + packed, *query = key_turned + packed, *gradient = query + PANELS * depth * PANEL;
    uint16_t *query_rows = gradient + PANELS * depth * PANEL, *gradient_rows = query_rows + PANELS * depth * PANEL;
    uint16_t *probabilities = gradient_rows + PANELS * depth * PANEL, *slopes = probabilities + 2 * PANELS * GROUP;
    uint16_t *pairs = slopes + 2 * PANELS * GROUP;  // [panels][key blocks][16][32][2]
    const float scale = a->layout->scale * 1.44269504f;
    if (unit->first == unit->last) memset(into_key, 0, sizeof(float) * (size_t)(2 * key_blocks * 32 * columns));
    const vitrail_matrix keys = head_at(a->key, view.key_row, view.head, width);
    pack_left(key, keys, view.keys, width);
    pack_left_turned(key_turned, keys, view.keys, width);
    pack_left(value, head_at(a->value, view.key_row, view.head, width), view.keys, width);

    for (ptrdiff_t b = unit->first; b < unit->last; b++) {
        const ptrdiff_t head = view.head * view.group + b / view.runs, first = b % view.runs * ATTENTION_BFLOAT16_GRADIENT_ROWS;
        const ptrdiff_t count = lesser(ATTENTION_BFLOAT16_GRADIENT_ROWS, view.queries - first), row = view.query_row + first;
        const ptrdiff_t panels = blocks_of(count);
        const vitrail_matrix q = head_at(a->query, row, head, width), g = head_at(a->gradient, row, head, width);
        panel_state states[PANELS];
        ptrdiff_t limit = 0;
        for (ptrdiff_t p = 0; p < panels; p++) {
            const ptrdiff_t rows = lesser(QUERIES, count - p * QUERIES);
            pack_right_turned(query + p * depth * PANEL, matrix_at(q, p * QUERIES, 0), rows, width);
            pack_right_turned(gradient + p * depth * PANEL, matrix_at(g, p * QUERIES, 0), rows, width);
            prepare(a, &view, first + p * QUERIES, head, &states[p]);
            limit = states[p].limit > limit ? states[p].limit : limit;
        }
        // A causal run's last panels alone see its last keys.
        const ptrdiff_t hidden = a->layout->is_causal ? panels * (panels - 1) / 2 : 0;
        rows_ahead ahead = ahead_of_run(
            a, unit, &view, next, b, ATTENTION_BFLOAT16_GRADIENT_ROWS, true, panels * blocks_of(limit) - hidden);
        // The first run's products write what the others' add to; what it does not see is zero.
        const bool adds = b > unit->first;
        const ptrdiff_t written = rows_for(limit), unseen = key_blocks * 32 - written;
        if (!adds && unseen > 0) {
            memset(into_key + written * columns, 0, sizeof(float) * (size_t)(unseen * columns));
            memset(into_value + written * columns, 0, sizeof(float) * (size_t)(unseen * columns));
        }
        for (ptrdiff_t c = 0; c < depth; c++) {
            const int wide = (int)lesser(32, width - 32 * c);
            bfloat16_pack_b(
                query_rows + c * panels * PANEL, matrix_at(q, 0, 32 * c).data, q.stride, false, type_of(q), wide, count, panels);
            bfloat16_pack_b(
                gradient_rows + c * panels * PANEL, matrix_at(g, 0, 32 * c).data, g.stride, false, type_of(g), wide, count,
                panels);
        }
        for (ptrdiff_t block = 0; block < blocks_of(limit); block++) {
            const ptrdiff_t rows = lesser(32, limit - 32 * block);
            // Panels in front of the first that sees one of these keys have no part in them.
            ptrdiff_t skipped = 0;
            while (skipped < panels && states[skipped].limit <= block * 32) skipped++;
            for (ptrdiff_t p = skipped; p < panels; p++) {
                ask_ahead(&ahead);
                const extent of = {rows, states[p].count, width};
                multiply(
                    of, key + 2 * block * depth * GROUP, depth * GROUP, query + p * depth * PANEL, scores, QUERIES, false);
                multiply(
                    of, value + 2 * block * depth * GROUP, depth * GROUP, gradient + p * depth * PANEL, products, QUERIES,
                    false);
                slope(
                    scores, products, &states[p], block * 32, rows, scale, probabilities + p * GROUP, slopes + p * GROUP,
                    PANELS * GROUP, pairs + (p * key_blocks + block) * PANEL);
            }
            for (ptrdiff_t c = 0; c < depth; c++) {
                const ptrdiff_t at = block * 32 * columns + 32 * c, packed_at = (c * panels + skipped) * PANEL;
                const extent of = {rows, lesser(32, width - 32 * c), count - skipped * QUERIES};
                multiply(
                    of, probabilities + skipped * GROUP, PANELS * GROUP, gradient_rows + packed_at, into_value + at, columns,
                    adds);
                multiply(of, slopes + skipped * GROUP, PANELS * GROUP, query_rows + packed_at, into_key + at, columns, adds);
            }
        }
        float factors[QUERIES];
        for (int i = 0; i < QUERIES; i++) factors[i] = a->layout->scale;
        for (ptrdiff_t p = 0; p < panels; p++) {
            // A panel's keys are those that it sees; the last block may hold more, whose slopes are zero.
            for (ptrdiff_t c = 0; c < depth; c++)
                multiply(
                    (extent){lesser(32, width - 32 * c), states[p].count, states[p].limit},
                    key_turned + 2 * c * key_blocks * GROUP, key_blocks * GROUP, pairs + p * key_blocks * PANEL,
                    turned + c * 32 * QUERIES, QUERIES, false);
            store_turned(
                turned, factors, head_at(a->into_query, row + p * QUERIES, head, width),
                lesser(QUERIES, count - p * QUERIES), width);
        }
    }
    if (a->splits > 1) {
        // Joined later with those of the other splits, in the form of the other kernels.
        const ptrdiff_t padded = attention_padded(view.keys), stride = attention_width(a->layout);
        float *partial_key = a->partials + unit->partial, *partial_value = partial_key + padded * stride;
        for (ptrdiff_t k = 0; k < view.keys; k++) {
            EACH16(c, n, 0, stride) {
                store16(partial_key + k * stride + c, load16(into_key + k * columns + c) * scale);
                store16(partial_value + k * stride + c, load16(into_value + k * columns + c));
            }
        }
        return;
    }
    for (ptrdiff_t k = 0; k < view.keys; k++) {
        const vitrail_matrix to_key = head_at(a->into_key, view.key_row + k, view.head, width);
        const vitrail_matrix to_value = head_at(a->into_value, view.key_row + k, view.head, width);
        store_row(into_key + k * columns, a->layout->scale, to_key, width);
        store_row(into_value + k * columns, 1.0f, to_value, width);
    }
}

static void gradient_task(void *context, int part, int parts) {
    const attention_args *a = context;
    ptrdiff_t begin, end;
    vitrail_share(a->unit_count, 1, part, parts, &begin, &end);
    start_multiplying();
    for (ptrdiff_t u = begin; u < end; u++) unit_gradient(a, &a->units[u], u + 1 < end ? &a->units[u + 1] : NULL);
    stop_multiplying();
}
