// Rows of scores to probabilities, in base 2: queries come multiplied by scale · log₂e (Milakov & Gimelshein 2018).

/// What online softmax remembers of a block of rows: maxima, sums still spread over 16 lanes.
typedef struct softmax_state {
    float maximum[ATTENTION_ROWS];
    float sums[ATTENTION_ROWS][16];
} softmax_state;

/// Makes it ready for `rows` rows.
INLINE void softmax_start(softmax_state *state, ptrdiff_t rows) {
    for (ptrdiff_t r = 0; r < attention_round(rows, 16); r++) state->maximum[r] = -__builtin_inff();
    memset(state->sums, 0, sizeof state->sums[0] * (size_t)rows);
}

/// Scores become 2^(score − maximum) with zeros where a row does not see; a row that sees nothing of a block is left with zeros. Sums and `values` [rows, width], taken with older maxima,
/// are brought up to the new ones. 16 rows at a time, so that maxima and factors are vectors too.
INLINE void soften_block(
    const attention_block *block, float *scores, softmax_state *state, float *values, ptrdiff_t width, bool is_first) {
    const v16f none = -__builtin_inff();
    for (ptrdiff_t r = 0; r < block->rows; r += 16) {
        ptrdiff_t count = block->rows - r < 16 ? block->rows - r : 16;
        v16f peaks[16];
        for (int i = 0; i < 16; i++) peaks[i] = none;
        for (ptrdiff_t i = 0; i < count; i++) {
            float *row = scores + (r + i) * ATTENTION_STRIDE;
            ptrdiff_t seen = block->seen[r + i], c = 0;
            for (ptrdiff_t k = 0; k < block->hidden[r + i]; k++) row[k] = -__builtin_inff();
            v16f peak = none;
            for (; c + 16 <= seen; c += 16) peak = larger16(load16(row + c), peak);
            if (c < seen) {
                v16f last = keep_n(load16(row + c), seen - c, -__builtin_inff());
                store16(row + c, last);
                peak = larger16(last, peak);
            }
            peaks[i] = peak;
        }
        v16f before = load16(state->maximum + r), now = larger16(maxima16(peaks), before);
        v16f shift = now > none ? now : (v16f)0.0f, factor = exp2_16(before - shift);
        float shifts[16], factors[16];
        store16(state->maximum + r, now);
        store16(shifts, shift);
        store16(factors, factor);
        for (ptrdiff_t i = 0; i < count; i++) {
            float *row = scores + (r + i) * ATTENTION_STRIDE;
            v16f sum = load16(state->sums[r + i]) * factors[i];
            ptrdiff_t c = 0;
            for (; c < block->seen[r + i]; c += 16) {
                v16f p = exp2_16(load16(row + c) - shifts[i]);
                store16(row + c, p);
                sum += p;
            }
            for (; c < block->keys; c += 16) store16(row + c, 0.0f);
            store16(state->sums[r + i], sum);
            if (is_first || factors[i] == 1.0f) continue;
            for (c = 0; c < width; c += 16)
                store16(values + (r + i) * width + c, load16(values + (r + i) * width + c) * factors[i]);
        }
    }
}

/// Scores become probabilities by the kept log-sum-exp, and `slopes` (gradient · valueᵀ) the gradient of the scores. Both are zero
/// where a row does not see, up to whole tiles of keys.
INLINE void gradient_block(
    const attention_block *block, float *scores, float *slopes, const float *log_sum, const float *mean) {
    ptrdiff_t end = attention_round(attention_round(block->keys, TILE_ROWS), 16);
    for (ptrdiff_t r = 0; r < block->rows; r++) {
        float *row = scores + r * ATTENTION_STRIDE, *slope = slopes + r * ATTENTION_STRIDE;
        ptrdiff_t seen = block->seen[r], c = 0;
        for (; c + 16 <= seen; c += 16) {
            v16f p = exp2_16(load16(row + c) - log_sum[r]);
            store16(row + c, p);
            store16(slope + c, p * (load16(slope + c) - mean[r]));
        }
        if (c < seen) {
            v16f p = keep_n(exp2_16(load16(row + c) - log_sum[r]), seen - c, 0.0f);
            store16(row + c, p);
            store16(slope + c, keep_n(p * (load16(slope + c) - mean[r]), seen - c, 0.0f));
            c += 16;
        }
        for (; c < end; c += 16) {
            store16(row + c, 0.0f);
            store16(slope + c, 0.0f);
        }
        for (c = 0; c < block->hidden[r]; c++) row[c] = slope[c] = 0.0f;
    }
}

/// ln Σ e^score from a maximum in base 2 and the sum of what was taken relative to it.
INLINE float log_sum_exp(float maximum, float total) {
    if (total == 0.0f) return -__builtin_inff();
    return (float)((double)maximum * 0.693147180559945 + __builtin_log((double)total));
}
