// Attention and its gradient on tiles of bfloat16 (AMX), for precisions that round factors anyway.
//
// Scores are computed turned, keys down and 32 queries across: what belongs to a query is then a lane of two vectors, so that
// maxima, sums and masks need no work across lanes, and probabilities leave as rows that the next product takes as they are.

#include "attention_amx.h"

#if PRODUCT_X86

#include "product_bfloat16.h"
#include "product_transpose.h"

#include <immintrin.h>

#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,avx512bf16,amx-tile,amx-bf16"))), apply_to = function)

#include "vector.h"

void bfloat16_pack_a_16(uint16_t *, const void *, int64_t, bool, vitrail_element, int, int64_t, int64_t);
void bfloat16_pack_b(uint16_t *, const void *, int64_t, bool, vitrail_element, int, int64_t, int64_t);

/// Queries of a panel; keys whose scores are in the cache together; packed elements of 16 rows, or a panel, over 32 terms.
enum { QUERIES = 32, CHUNK = 256, GROUP = 16 * BLOCK_TERMS, PANEL = PANEL_COLUMNS * BLOCK_TERMS };
/// Panels that the gradient takes together, so that gradients of keys and values are visited less often.
enum { PANELS = ATTENTION_AMX_GRADIENT_ROWS / QUERIES };

static void tiles_start(void) {
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } __attribute__((aligned(64))) configuration = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        configuration.bytes[i] = 64;
        configuration.rows[i] = 16;
    }
    _tile_loadconfig(&configuration);
}

/// c[32, 32] = (add ? c : 0) + a · b over `blocks` blocks of 32 terms; a's second group of 16 rows is `a_group` elements on.
INLINE void multiply(
    const uint16_t *a, ptrdiff_t a_group, const uint16_t *b, ptrdiff_t blocks, float *c, ptrdiff_t ldc, bool add) {
    const ptrdiff_t stride = ldc * 4;
    if (add) {
        _tile_loadd(0, c, stride);
        _tile_loadd(1, c + 16, stride);
        _tile_loadd(2, c + 16 * ldc, stride);
        _tile_loadd(3, c + 16 * ldc + 16, stride);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    const uint16_t *second = a + a_group;
    for (ptrdiff_t block = 0; block < blocks; block++, a += GROUP, second += GROUP, b += PANEL) {
        _tile_loadd(4, a, 64);
        _tile_loadd(6, b, 128);
        _tile_loadd(7, b + 32, 128);
        _tile_loadd(5, second, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, stride);
    _tile_stored(1, c + 16, stride);
    _tile_stored(2, c + 16 * ldc, stride);
    _tile_stored(3, c + 16 * ldc + 16, stride);
}

INLINE ptrdiff_t lesser(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
INLINE ptrdiff_t blocks_of(ptrdiff_t terms) { return (terms + BLOCK_TERMS - 1) / BLOCK_TERMS; }

/// Rows of a head as left factors: [rows / 16][blocks of the width][16][32], rows filled up to a multiple of 32 with zeros.
static void pack_left(uint16_t *out, const float *x, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t width) {
    const ptrdiff_t blocks = blocks_of(width);
    for (ptrdiff_t r = 0; r < blocks_of(rows) * 32; r += 16, out += blocks * GROUP)
        bfloat16_pack_a_16(
            out, x + r * stride, stride, false, VITRAIL_FLOAT32, (int)(r < rows ? lesser(16, rows - r) : 0), width,
            blocks);
}

/// The same turned, rows being terms: [width / 16][blocks of rows][16][32].
static void pack_left_turned(uint16_t *out, const float *x, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t width) {
    const ptrdiff_t blocks = blocks_of(rows);
    for (ptrdiff_t c = 0; c < blocks_of(width) * 32; c += 16, out += blocks * GROUP)
        bfloat16_pack_a_16(
            out, x + c, stride, true, VITRAIL_FLOAT32, (int)(c < width ? lesser(16, width - c) : 0), rows, blocks);
}

/// Columns [first, first + 32) of a turned head as a right factor: rows of x across, its width down.
INLINE void pack_right_turned(uint16_t *out, const float *x, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t width) {
    bfloat16_pack_b(out, x, stride, true, VITRAIL_FLOAT32, (int)rows, width, blocks_of(width));
}

/// Two rows of 16 as 16 pairs.
INLINE __m512i pairs_of(v16f first, v16f second) {
    const __m512i order = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1,
        16, 0);
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
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
static void store_turned(
    const float *turned, const float *factors, float *destination, ptrdiff_t stride, ptrdiff_t count, ptrdiff_t width) {
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
            for (int i = 0; i < 16; i++)
                if (i < rows)
                    _mm512_mask_storeu_ps(destination + (16 * half + i) * stride + c, mask, (__m512)square[i]);
        }
    }
}

typedef struct {
    ptrdiff_t segment, head, group, width, query_row, queries, key_row, keys, runs;  // runs of one query head
} view_of_unit;

static view_of_unit look(const attention_args *a, const attention_unit *unit, ptrdiff_t run) {
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
    view.runs = (view.queries + run - 1) / run;
    return view;
}

INLINE float *head_at(vitrail_matrix m, ptrdiff_t row, ptrdiff_t head, ptrdiff_t width) {
    return m.data + row * m.stride + head * width;
}

/// How many keys each of 32 queries from `first` on sees, 0 beyond the last query; returns the most.
static ptrdiff_t see(const attention_args *a, const view_of_unit *view, ptrdiff_t first, int32_t seen[QUERIES]) {
    ptrdiff_t most = 0;
    for (ptrdiff_t q = 0; q < QUERIES; q++) {
        const ptrdiff_t row = first + q;
        const ptrdiff_t keys = row < view->queries ? attention_visible(a->layout, view->segment, row) : 0;
        seen[q] = (int32_t)keys;
        most = keys > most ? keys : most;
    }
    return most;
}

/// Scores of a chunk of keys, [keys, 32], to probabilities as pairs of rows; `maximum` and `sum` are brought up to date.
/// Returns the factors for what was summed before.
INLINE void soften(
    const float *scores, ptrdiff_t keys, ptrdiff_t all_see, ptrdiff_t first_key, const v16i seen, float scale, v16f *maximum,
    v16f *sum, v16f *factor, uint16_t *pairs) {
    const v16f none = -__builtin_inff();
    v16f peak = *maximum;
    ptrdiff_t k = 0;
    for (; k < lesser(keys, all_see); k++) peak = (v16f)_mm512_max_ps((__m512)load16(scores + k * QUERIES), (__m512)peak);
    for (; k < keys; k++) {
        v16f s = (v16i)(int32_t)(first_key + k) < seen ? load16(scores + k * QUERIES) : none;
        peak = (v16f)_mm512_max_ps((__m512)s, (__m512)peak);
    }
    const v16f shift = peak > none ? peak * scale : (v16f)0.0f;
    *factor = exp2_16(*maximum * scale - shift);
    *factor = *maximum > none ? *factor : (v16f)0.0f;
    *maximum = peak;
    v16f total = *sum * *factor;
    for (k = 0; k < blocks_of(keys) * 32; k += 2, pairs += 2 * PANEL_COLUMNS) {
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

static void unit_forward(const attention_args *a, const attention_unit *unit) {
    const view_of_unit view = look(a, unit, ATTENTION_AMX_ROWS);
    const ptrdiff_t width = view.width, heads = a->layout->query_heads, depth = blocks_of(width);
    const ptrdiff_t key_blocks = blocks_of(view.keys);
    char *scratch = (char *)(a->scratch + vitrail_pool_thread() * a->scratch_stride);
    float *scores = (float *)scratch, *turned = scores + CHUNK * QUERIES;
    uint16_t *key = (uint16_t *)(turned + depth * 32 * QUERIES), *value = key + 2 * key_blocks * depth * GROUP;
    uint16_t *query = value + 2 * depth * key_blocks * GROUP, *pairs = query + depth * PANEL;
    const float scale = a->layout->scale * 1.44269504f;
    pack_left(key, head_at(a->key, view.key_row, view.head, width), a->key.stride, view.keys, width);
    pack_left_turned(value, head_at(a->value, view.key_row, view.head, width), a->value.stride, view.keys, width);
    for (ptrdiff_t b = unit->first; b < unit->last; b++) {
        const ptrdiff_t head = view.head * view.group + b / view.runs, first = b % view.runs * QUERIES;
        const ptrdiff_t count = lesser(QUERIES, view.queries - first), row = view.query_row + first;
        int32_t seen[QUERIES] __attribute__((aligned(64)));
        const ptrdiff_t limit = see(a, &view, first, seen);
        pack_right_turned(query, head_at(a->query, row, head, width), a->query.stride, count, width);
        v16f maximum[2], sum[2], factor[2];
        for (int half = 0; half < 2; half++) maximum[half] = -__builtin_inff(), sum[half] = 0.0f;
        if (limit == 0) memset(turned, 0, sizeof(float) * (size_t)(depth * 32 * QUERIES));
        for (ptrdiff_t k = 0; k < limit; k += CHUNK) {
            const ptrdiff_t keys = lesser(CHUNK, limit - k), blocks = blocks_of(keys);
            for (ptrdiff_t block = 0; block < blocks; block++)
                multiply(
                    key + (k / 16 + 2 * block) * depth * GROUP, depth * GROUP, query, depth,
                    scores + block * 32 * QUERIES, QUERIES, false);
            for (int half = 0; half < 2; half++) {
                v16i lanes;
                memcpy(&lanes, seen + 16 * half, sizeof lanes);
                ptrdiff_t all_see = seen[16 * half];
                for (int q = 1; q < 16; q++) all_see = lesser(all_see, seen[16 * half + q]);
                soften(
                    scores + 16 * half, keys, all_see - k, k, lanes, scale, &maximum[half], &sum[half], &factor[half],
                    pairs + 32 * half);
            }
            if (k > 0) {
                for (ptrdiff_t c = 0; c < depth * 32; c++) {
                    for (int half = 0; half < 2; half++) {
                        float *lanes = turned + c * QUERIES + 16 * half;
                        store16(lanes, load16(lanes) * factor[half]);
                    }
                }
            }
            for (ptrdiff_t c = 0; c < depth; c++)
                multiply(
                    value + (2 * c * key_blocks + k / 32) * GROUP, key_blocks * GROUP, pairs, blocks,
                    turned + c * 32 * QUERIES, QUERIES, k > 0);
        }
        float factors[QUERIES];
        for (int half = 0; half < 2; half++)
            store16(factors + 16 * half, sum[half] == 0.0f ? (v16f)0.0f : 1.0f / sum[half]);
        store_turned(turned, factors, head_at(a->destination, row, head, width), a->destination.stride, count, width);
        if (!a->log_sum_exp) continue;
        float logs[QUERIES];
        for (int half = 0; half < 2; half++) {
            v16f log = maximum[half] * a->layout->scale + logarithm(sum[half]);
            store16(logs + 16 * half, sum[half] == 0.0f ? (v16f)-__builtin_inff() : log);
        }
        for (ptrdiff_t q = 0; q < count; q++) a->log_sum_exp[(row + q) * heads + head] = logs[q];
    }
}

size_t attention_amx_scratch(const vitrail_attention_layout *layout, ptrdiff_t keys, bool gradient) {
    const ptrdiff_t depth = blocks_of(layout->width), key_blocks = blocks_of(keys);
    const ptrdiff_t packed = 2 * key_blocks * depth * GROUP;
    ptrdiff_t floats = CHUNK * QUERIES + depth * 32 * QUERIES, halves = 2 * packed + depth * PANEL + CHUNK * QUERIES;
    if (gradient) {
        floats = 2 * 32 * QUERIES + depth * 32 * QUERIES + 2 * key_blocks * 32 * depth * 32;
        halves = 3 * packed + 4 * PANELS * depth * PANEL + 4 * PANELS * GROUP + PANELS * key_blocks * PANEL;
    }
    return (size_t)(floats * 4 + halves * 2 + 4096 + 63) / 64 * 64;
}

void attention_amx_task(void *context, int part, int parts) {
    const attention_args *a = context;
    ptrdiff_t begin, end;
    vitrail_share(a->unit_count, 1, part, parts, &begin, &end);
    tiles_start();
    for (ptrdiff_t u = begin; u < end; u++) unit_forward(a, &a->units[u]);
    _tile_release();
}

// MARK: Gradient

/// What the gradient knows of a panel of 32 queries.
typedef struct {
    int32_t seen[QUERIES];
    float log_sum[QUERIES], mean[QUERIES];  // log-sum-exp in base 2, Σ dy ⊙ y
    ptrdiff_t limit, all_see;
} panel_state;

/// Probabilities and slopes of 32 keys (rows) and 32 queries: as rows of left factors, and slopes as pairs of rows too.
INLINE void slope(
    const float *scores, const float *products, const panel_state *panel, ptrdiff_t first_key, float scale,
    uint16_t *probabilities, uint16_t *slopes, ptrdiff_t group, uint16_t *pairs) {
    const v16f log_low = load16(panel->log_sum), log_high = load16(panel->log_sum + 16);
    const v16f mean_low = load16(panel->mean), mean_high = load16(panel->mean + 16);
    v16i seen_low, seen_high;
    memcpy(&seen_low, panel->seen, sizeof seen_low);
    memcpy(&seen_high, panel->seen + 16, sizeof seen_high);
    const bool all = first_key + 32 <= panel->all_see;
    for (int k = 0; k < 32; k += 2) {
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

/// Log-sum-exp and Σ dy ⊙ y of a panel's queries; what lies beyond the last query gives probabilities of zero.
static void prepare(const attention_args *a, const view_of_unit *view, ptrdiff_t first, ptrdiff_t head, panel_state *panel) {
    const ptrdiff_t width = view->width, heads = a->layout->query_heads;
    panel->limit = see(a, view, first, panel->seen);
    panel->all_see = view->keys;
    for (ptrdiff_t q = 0; q < QUERIES; q++) {
        panel->log_sum[q] = __builtin_inff();
        panel->mean[q] = 0.0f;
        panel->all_see = lesser(panel->all_see, panel->seen[q]);
        const ptrdiff_t row = view->query_row + first + q;
        if (first + q >= view->queries || panel->seen[q] == 0) continue;
        const float *output = head_at(a->destination, row, head, width), *gradient = head_at(a->gradient, row, head, width);
        v16f sum = 0.0f;
        // Rounded as the product with the values has it: where one key takes everything, the two cancel.
        EACH16(c, n, 0, width) sum += load_n(output + c, n) * rounded16(load_n(gradient + c, n));
        panel->mean[q] = sum16(sum);
        panel->log_sum[q] = a->log_sum_exp[row * heads + head] * 1.44269504f;
    }
}

// With P = softmax(S), S = scale · Q Kᵀ, O = P V:  dV = Pᵀ dO,  dS = P ⊙ (dO Vᵀ − Σ dO ⊙ O),  dQ = scale · dS K,
// dK = scale · dSᵀ Q.
static void unit_gradient(const attention_args *a, const attention_unit *unit) {
    const view_of_unit view = look(a, unit, ATTENTION_AMX_GRADIENT_ROWS);
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
    memset(into_key, 0, sizeof(float) * (size_t)(2 * key_blocks * 32 * columns));
    const float *keys = head_at(a->key, view.key_row, view.head, width);
    pack_left(key, keys, a->key.stride, view.keys, width);
    pack_left_turned(key_turned, keys, a->key.stride, view.keys, width);
    pack_left(value, head_at(a->value, view.key_row, view.head, width), a->value.stride, view.keys, width);

    for (ptrdiff_t b = unit->first; b < unit->last; b++) {
        const ptrdiff_t head = view.head * view.group + b / view.runs, first = b % view.runs * ATTENTION_AMX_GRADIENT_ROWS;
        const ptrdiff_t count = lesser(ATTENTION_AMX_GRADIENT_ROWS, view.queries - first), row = view.query_row + first;
        const ptrdiff_t panels = blocks_of(count);
        const float *q = head_at(a->query, row, head, width), *g = head_at(a->gradient, row, head, width);
        panel_state states[PANELS];
        ptrdiff_t limit = 0;
        for (ptrdiff_t p = 0; p < panels; p++) {
            const ptrdiff_t rows = lesser(QUERIES, count - p * QUERIES);
            pack_right_turned(query + p * depth * PANEL, q + p * QUERIES * a->query.stride, a->query.stride, rows, width);
            pack_right_turned(
                gradient + p * depth * PANEL, g + p * QUERIES * a->gradient.stride, a->gradient.stride, rows, width);
            prepare(a, &view, first + p * QUERIES, head, &states[p]);
            limit = states[p].limit > limit ? states[p].limit : limit;
        }
        for (ptrdiff_t c = 0; c < depth; c++) {
            const int wide = (int)lesser(32, width - 32 * c);
            bfloat16_pack_b(
                query_rows + c * panels * PANEL, q + 32 * c, a->query.stride, false, VITRAIL_FLOAT32, wide, count, panels);
            bfloat16_pack_b(
                gradient_rows + c * panels * PANEL, g + 32 * c, a->gradient.stride, false, VITRAIL_FLOAT32, wide, count,
                panels);
        }
        for (ptrdiff_t block = 0; block < blocks_of(limit); block++) {
            // Panels in front of the first that sees one of these keys have no part in them.
            ptrdiff_t skipped = 0;
            while (skipped < panels && states[skipped].limit <= block * 32) skipped++;
            for (ptrdiff_t p = skipped; p < panels; p++) {
                multiply(
                    key + 2 * block * depth * GROUP, depth * GROUP, query + p * depth * PANEL, depth, scores, QUERIES, false);
                multiply(
                    value + 2 * block * depth * GROUP, depth * GROUP, gradient + p * depth * PANEL, depth, products, QUERIES,
                    false);
                slope(
                    scores, products, &states[p], block * 32, scale, probabilities + p * GROUP, slopes + p * GROUP,
                    PANELS * GROUP, pairs + (p * key_blocks + block) * PANEL);
            }
            for (ptrdiff_t c = 0; c < depth; c++) {
                const ptrdiff_t at = block * 32 * columns + 32 * c, from = (c * panels + skipped) * PANEL;
                multiply(
                    probabilities + skipped * GROUP, PANELS * GROUP, gradient_rows + from, panels - skipped, into_value + at,
                    columns, true);
                multiply(
                    slopes + skipped * GROUP, PANELS * GROUP, query_rows + from, panels - skipped, into_key + at, columns,
                    true);
            }
        }
        float factors[QUERIES];
        for (int i = 0; i < QUERIES; i++) factors[i] = a->layout->scale;
        for (ptrdiff_t p = 0; p < panels; p++) {
            // A panel's keys are those that it sees; the last block may hold more, whose slopes are zero.
            const ptrdiff_t blocks = blocks_of(states[p].limit);
            for (ptrdiff_t c = 0; c < depth; c++)
                multiply(
                    key_turned + 2 * c * key_blocks * GROUP, key_blocks * GROUP, pairs + p * key_blocks * PANEL, blocks,
                    turned + c * 32 * QUERIES, QUERIES, false);
            store_turned(
                turned, factors, head_at(a->into_query, row + p * QUERIES, head, width), a->into_query.stride,
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
        float *to_key = head_at(a->into_key, view.key_row + k, view.head, width);
        float *to_value = head_at(a->into_value, view.key_row + k, view.head, width);
        EACH16(c, n, 0, width) store_n(to_key + c, load16(into_key + k * columns + c) * a->layout->scale, n);
        EACH16(c, n, 0, width) store_n(to_value + c, load16(into_value + k * columns + c), n);
    }
}

void attention_amx_gradient_task(void *context, int part, int parts) {
    const attention_args *a = context;
    ptrdiff_t begin, end;
    vitrail_share(a->unit_count, 1, part, parts, &begin, &end);
    tiles_start();
    for (ptrdiff_t u = begin; u < end; u++) unit_gradient(a, &a->units[u]);
    _tile_release();
}

#pragma clang attribute pop

#endif
