// Loops of optimizers.c.

INLINE double squares_of(const float *x, ptrdiff_t count) {
    v8d low = 0.0, high = 0.0;
    EACH16(i, n, 0, count) {
        ahead_of_read(x, false, i);
        v16f v = load_n(x + i, n);
        v8d a = __builtin_convertvector(v.lo, v8d), b = __builtin_convertvector(v.hi, v8d);
        low += a * a;
        high += b * b;
    }
    low += high;
    return ((low.s0 + low.s1) + (low.s2 + low.s3)) + ((low.s4 + low.s5) + (low.s6 + low.s7));
}

static void sum_of_squares_task(void *context, int part, int parts) {
    const squares_args *a = context;
    ptrdiff_t begin, end, chunk = 0;
    vitrail_share(a->chunk_count, 1, part, parts, &begin, &end);
    for (ptrdiff_t s = 0; s < a->span_count && chunk < end; s++) {
        for (ptrdiff_t i = 0; i < a->spans[s].count; i += SQUARES_CHUNK, chunk++) {
            if (chunk < begin || chunk >= end) continue;
            ptrdiff_t left = a->spans[s].count - i;
            a->sums[chunk] = squares_of(a->spans[s].data + i, left < SQUARES_CHUNK ? left : SQUARES_CHUNK);
        }
    }
}

// p ← p (1 − ηλ);  m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;  p ← p − η/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε).
static void adamw_task(void *context, int part, int parts) {
    const adamw_args *a = context;
    ptrdiff_t begin, end, start = 0;
    vitrail_share(a->total, ADAMW_ALIGNMENT, part, parts, &begin, &end);
    float beta1 = a->beta1, beta2 = a->beta2, rest1 = a->one_minus_beta1, rest2 = a->one_minus_beta2;
    float epsilon = a->epsilon, inverse_root = 1.0f / a->root_correction2, scale = a->gradient_scale;
    for (ptrdiff_t s = 0; s < a->slice_count && start < end; start += a->slices[s].count, s++) {
        const vitrail_adamw_slice *slice = &a->slices[s];
        ptrdiff_t first = begin > start ? begin - start : 0;
        ptrdiff_t last = end - start < slice->count ? end - start : slice->count;
        float *p = slice->parameter, *m = slice->first_moment, *v = slice->second_moment;
        const float *g = slice->gradient;
        float keep = 1.0f - slice->learning_rate * slice->weight_decay, rate = slice->learning_rate / a->correction1;
        EACH16(i, n, first, last) {
            ahead_of_read(g, false, i);
            ahead_of_write(p, false, i);
            ahead_of_write(m, false, i);
            ahead_of_write(v, false, i);
            v16f gradient = load_n(g + i, n) * scale;
            v16f first_moment = load_n(m + i, n) * beta1 + gradient * rest1;
            v16f second_moment = load_n(v + i, n) * beta2 + gradient * gradient * rest2;
            v16f divisor = __builtin_elementwise_sqrt(second_moment) * inverse_root + epsilon;
            store_n(m + i, first_moment, n);
            store_n(v + i, second_moment, n);
            store_n(p + i, load_n(p + i, n) * keep - rate * first_moment / divisor, n);
        }
    }
}
