// One float32 microkernel, included once for every instruction set with these defined:
// NAME(x) names, TARGET the function attribute, LANES floats a vector, ROWS and VECTORS the tile's size in
// rows and vectors: ROWS * VECTORS sums stay in registers, beside VECTORS of B and one element of A.

typedef float NAME(vector) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

// AHEAD_TERMS: how many terms before they are wanted those that come from farther away are asked for.
enum { NAME(COLUMNS) = LANES * VECTORS, NAME(AHEAD_TERMS) = 32, NAME(LINE_TERMS) = 16 };

TARGET __attribute__((always_inline)) static inline void NAME(tile)(
    const float32_tile *tile, const int rows, const bool by_rows) {
    NAME(vector) sums[ROWS][VECTORS];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
        for (int j = 0; j < VECTORS; j++) sums[i][j] = (NAME(vector)){0};
    }
    // Three rows an address register: x86 has too few for a pointer to every row.
    const float *a = tile->a, *base[(ROWS + 2) / 3];
    const ptrdiff_t stride = tile->a_stride;
#pragma clang loop unroll(full)
    for (int i = 0; i < (rows + 2) / 3; i++) base[i] = a + 3 * i * stride;
    const float *b = tile->b;
    const int64_t k = tile->k;
    const ptrdiff_t b_stride = tile->b_stride;
    // In smaller tiles a term has too little work to ask for others beside it.
    const bool asks = LANES >= 16;
    const float *const ahead = asks ? tile->ahead : NULL;
    const ptrdiff_t ahead_stride = tile->ahead_stride;
    const bool asks_for_a = asks && tile->asks_for_a, asks_for_b = asks && tile->asks_for_b;
    // C and what is added to it are wanted when the sums are done: ask for them now.
    const float *const from = tile->from && tile->from != tile->c ? tile->from : NULL;
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
        __builtin_prefetch(tile->c + i * tile->ldc, 1);
        __builtin_prefetch(tile->c + i * tile->ldc + NAME(COLUMNS) - 1, 1);
        if (from) {
            __builtin_prefetch(from + i * tile->from_stride);
            __builtin_prefetch(from + i * tile->from_stride + NAME(COLUMNS) - 1);
        }
    }
    for (int64_t p = 0; p < k; p++) {
        // Into the second-level cache: of the next rows a line each in turn, one a term.
        const int64_t term = p % NAME(LINE_TERMS);
        if (by_rows && ahead && term < ROWS) __builtin_prefetch(ahead + term * ahead_stride + (p - term), 0, 2);
        if (!by_rows && asks_for_a) __builtin_prefetch(a + NAME(AHEAD_TERMS) * stride, 0, 2);
        if (asks_for_b) {
            __builtin_prefetch(b + NAME(AHEAD_TERMS) * b_stride, 0, 2);
            __builtin_prefetch(b + NAME(AHEAD_TERMS) * b_stride + NAME(COLUMNS) - 1, 0, 2);
        }
        NAME(vector) columns[VECTORS];
#pragma clang loop unroll(full)
        for (int j = 0; j < VECTORS; j++) columns[j] = *(const NAME(vector) *)(b + j * LANES);
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) {
            const NAME(vector) element = (by_rows ? base[i / 3][(i % 3) * stride + p] : a[i]) - (NAME(vector)){0};
#pragma clang loop unroll(full)
            for (int j = 0; j < VECTORS; j++) sums[i][j] += element * columns[j];
        }
        b += b_stride;
        if (!by_rows) a += stride;
    }
    const float alpha = tile->alpha;
    if (tile->columns == NAME(COLUMNS)) {
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
            for (int j = 0; j < VECTORS; j++) {
                NAME(vector) *c = (NAME(vector) *)(tile->c + i * tile->ldc + j * LANES);
                NAME(vector) value = sums[i][j] * alpha;
                if (tile->from) value += *(const NAME(vector) *)(tile->from + i * tile->from_stride + j * LANES);
                if (tile->bias) value += *(const NAME(vector) *)(tile->bias + j * LANES);
                *c = value;
            }
        }
        return;
    }
    float values[ROWS][LANES * VECTORS];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
        for (int j = 0; j < VECTORS; j++) *(NAME(vector) *)(values[i] + j * LANES) = sums[i][j] * alpha;
    }
    for (int i = 0; i < rows; i++) {
        float *c = tile->c + i * tile->ldc;
        const float *from = tile->from ? tile->from + i * tile->from_stride : NULL;
        for (int j = 0; j < tile->columns; j++) {
            float value = values[i][j];
            if (from) value += from[j];
            if (tile->bias) value += tile->bias[j];
            c[j] = value;
        }
    }
}

#define CASE(n) case n: if (n <= ROWS) NAME(tile)(tile, n <= ROWS ? n : 1, by_rows); return

TARGET __attribute__((always_inline)) static inline void NAME(dispatch)(const float32_tile *tile, const bool by_rows) {
    switch (tile->rows) {
        CASE(1); CASE(2); CASE(3); CASE(4); CASE(5); CASE(6); CASE(7); CASE(8); CASE(9); CASE(10); CASE(11);
        CASE(12); CASE(13); CASE(14);
    }
}

#undef CASE

TARGET static void NAME(by_rows)(const float32_tile *tile) { NAME(dispatch)(tile, true); }
TARGET static void NAME(by_columns)(const float32_tile *tile) { NAME(dispatch)(tile, false); }

TARGET __attribute__((always_inline)) static inline void NAME(pack_source)(
    float *out, int width, const void *b, ptrdiff_t step, bool by_columns, int count, int64_t k,
    const product_source source) {
    if (!by_columns) {
        for (int64_t p = 0; p < k; p++) {
            float *row = out + p * width;
            if (count == NAME(COLUMNS) && width == NAME(COLUMNS)) {
                for (int j = 0; j < NAME(COLUMNS); j++) row[j] = source_value(b, p * step + j, source);
            } else {
                for (int j = 0; j < count; j++) row[j] = source_value(b, p * step + j, source);
                for (int j = count; j < width; j++) row[j] = 0;
            }
        }
        return;
    }
    int j = 0;
    for (; j + LANES <= count; j += LANES) {
        int64_t p = 0;
        for (; p + LANES <= k; p += LANES) {
            float square[LANES][LANES];
            for (int r = 0; r < LANES; r++) {
                for (int q = 0; q < LANES; q++) square[r][q] = source_value(b, (j + r) * step + p + q, source);
            }
            TRANSPOSE(out + p * width + j, width, &square[0][0]);
        }
        for (; p < k; p++) {
            for (int r = 0; r < LANES; r++) out[p * width + j + r] = source_value(b, (j + r) * step + p, source);
        }
    }
    for (; j < width; j++) {
        for (int64_t p = 0; p < k; p++) {
            out[p * width + j] = j < count ? source_value(b, j * step + p, source) : 0;
        }
    }
}

TARGET static void NAME(pack)(float *out, int width, const void *b, ptrdiff_t step, bool by_columns, int count,
                              int64_t k, product_source source) {
    switch (source) {
        case SOURCE_FLOAT32: NAME(pack_source)(out, width, b, step, by_columns, count, k, SOURCE_FLOAT32); break;
        case SOURCE_BFLOAT16: NAME(pack_source)(out, width, b, step, by_columns, count, k, SOURCE_BFLOAT16); break;
        case SOURCE_ROUNDED: NAME(pack_source)(out, width, b, step, by_columns, count, k, SOURCE_ROUNDED); break;
    }
}

const float32_kernels NAME(kernels_of) = {
    .rows = ROWS,
    .columns = LANES * VECTORS,
    .by_rows = NAME(by_rows),
    .by_columns = NAME(by_columns),
    .pack = NAME(pack),
};

#undef NAME
#undef TARGET
#undef LANES
#undef ROWS
#undef VECTORS
#undef TRANSPOSE
