// Loops of losses.c.

/// The largest element of a row and Σ e^(x − largest), in one pass over blocks that stay in the first-level cache.
INLINE float sum_of_exponentials(const float *x, ptrdiff_t count, float *largest) {
    float top = -__builtin_inff();
    float total = 0.0f;
    for (ptrdiff_t begin = 0; begin < count; begin += 2048) {
        ptrdiff_t end = begin + 2048 < count ? begin + 2048 : count;
        v16f peak = -__builtin_inff();
        EACH16(c, n, begin, end) {
            v16f v = keep_n(load_n(x + c, n), n, -__builtin_inff());
            peak = v > peak ? v : peak;
        }
        float block_top = max16(peak);
        if (block_top > top) {
            total *= exp16((v16f)(top - block_top)).x;
            top = block_top;
        }
        v16f sum = 0.0f;
        EACH16(c, n, begin, end) sum += keep_n(exp16(load_n(x + c, n) - top), n, 0.0f);
        total += sum16(sum);
    }
    *largest = top;
    return total;
}

static void softmax_cross_entropy_task(void *context, int part, int parts) {
    const loss_args *a = context;
    ptrdiff_t begin, end, columns = a->logits.columns;
    vitrail_share(a->logits.rows, 1, part, parts, &begin, &end);
    for (ptrdiff_t r = begin; r < end; r++) {
        float *x = a->logits.data + r * a->logits.stride, largest;
        ptrdiff_t label = a->labels[r];
        if (label < 0) {
            a->losses[r] = 0.0f;
            if (a->gradient_scale) memset(x, 0, sizeof(float) * (size_t)columns);
            continue;
        }
        float total = sum_of_exponentials(x, columns, &largest);
        a->losses[r] = (float)(__builtin_log((double)total) + (double)(largest - x[label]));
        if (!a->gradient_scale) continue;
        float factor = *a->gradient_scale / total;
        EACH16(c, n, 0, columns) store_n(x + c, exp16(load_n(x + c, n) - largest) * factor, n);
        x[label] -= *a->gradient_scale;
    }
}

static void softmax_task(void *context, int part, int parts) {
    const loss_args *a = context;
    ptrdiff_t begin, end, columns = a->logits.columns;
    vitrail_share(a->logits.rows, 1, part, parts, &begin, &end);
    for (ptrdiff_t r = begin; r < end; r++) {
        float *x = a->logits.data + r * a->logits.stride, largest;
        float factor = 1.0f / sum_of_exponentials(x, columns, &largest);
        EACH16(c, n, 0, columns) store_n(x + c, exp16(load_n(x + c, n) - largest) * factor, n);
    }
}

// ℓ = −log σ(y z)/n,  dℓ/dz = −y σ(−y z)/n.
static void pairwise_sigmoid_loss_task(void *context, int part, int parts) {
    const loss_args *a = context;
    ptrdiff_t begin, end, columns = a->logits.columns;
    vitrail_share(a->logits.rows, 1, part, parts, &begin, &end);
    for (ptrdiff_t r = begin; r < end; r++) {
        float *x = a->logits.data + r * a->logits.stride;
        const float *targets = a->targets.data + r * a->targets.stride;
        double loss = 0.0;
        for (ptrdiff_t c = 0; c < columns; c++) {
            double y = (double)targets[c], m = -y * ((double)a->temperature * (double)x[c] + (double)a->bias);
            double e = __builtin_exp(-__builtin_fabs(m));
            loss += (m > 0.0 ? m : 0.0) + __builtin_log1p(e);
            x[c] = (float)(-y * (m > 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e)) / (double)a->logits.rows);
        }
        a->losses[r] = (float)(loss / (double)a->logits.rows);
    }
}
