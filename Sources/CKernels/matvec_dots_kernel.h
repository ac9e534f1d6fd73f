// Dot products of rows of weights, included once for every instruction set with these defined:
// NAME(x) names, TARGET the function attribute, LANES floats a vector, COLUMNS most rows of x in a call, IN_TURN(half) how many bytes ahead
// one row of x asks for lines as it goes past rows of weights one after another, as they lie: 0 where it goes past four side by side, FAR where
// that is left to `ask_far`. Bits are the same.

typedef float NAME(vector) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint32_t NAME(bits) __attribute__((vector_size(LANES * 4), aligned(2), may_alias));

TARGET __attribute__((always_inline)) static inline float NAME(total)(NAME(vector) sums) {
    float values[LANES];
    *(NAME(vector) *)values = sums;
#pragma clang loop unroll(full)
    for (int width = LANES / 2; width >= 1; width /= 2) {
#pragma clang loop unroll(full)
        for (int i = 0; i < width; i++) values[i] += values[i + width];
    }
    return values[0];
}

TARGET __attribute__((always_inline)) static inline void NAME(dots)(
    const void *weights, int64_t ldw, const int rows, const float *x, int64_t x_stride, const int columns, int64_t k,
    float *out, const bool half) {
    // The rows after these, where they are near; what lies ahead in these rows themselves where rows are long.
    enum { NEAR = 16384, AHEAD = 1024 };
    const int64_t next = DOTS_ROWS * ldw * (half ? 2 : 4);
    const bool in_turn = IN_TURN(half) && rows == 1, is_far = in_turn && IN_TURN(half) == FAR;
    const int64_t ahead = in_turn ? IN_TURN(half) : next <= NEAR ? next : AHEAD;
    NAME(vector) even[DOTS_ROWS][COLUMNS], odd[DOTS_ROWS][COLUMNS];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
        for (int c = 0; c < columns; c++) even[i][c] = odd[i][c] = (NAME(vector)){0};
    }
    int64_t p = 0;
    for (; p + 2 * LANES <= k; p += 2 * LANES) {
        NAME(vector) left[COLUMNS], right[COLUMNS];
#pragma clang loop unroll(full)
        for (int c = 0; c < columns; c++) {
            left[c] = *(const NAME(vector) *)(x + c * x_stride + p);
            right[c] = *(const NAME(vector) *)(x + c * x_stride + p + LANES);
        }
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) {
            NAME(vector) first, second;
            if (half) {
                const uint16_t *w = (const uint16_t *)weights + i * ldw + p;
                if (is_far) ask_far(w);
                else __builtin_prefetch((const char *)w + ahead);
                const NAME(bits) pairs = *(const NAME(bits) *)w;
                first = (NAME(vector))(pairs << 16);
                second = (NAME(vector))(pairs & 0xffff0000u);
            } else {
                const float *w = (const float *)weights + i * ldw + p;
                if (is_far) {
                    ask_far(w);
                    ask_far(w + LANES);
                } else {
                    __builtin_prefetch((const char *)w + ahead);
                    __builtin_prefetch((const char *)(w + LANES) + ahead);
                }
                first = *(const NAME(vector) *)w;
                second = *(const NAME(vector) *)(w + LANES);
            }
#pragma clang loop unroll(full)
            for (int c = 0; c < columns; c++) {
                even[i][c] += first * left[c];
                // One column has registers for a second chain of sums.
                if (columns == 1) odd[i][c] += second * right[c];
                else even[i][c] += second * right[c];
            }
        }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
        for (int c = 0; c < columns; c++) {
            float sum = NAME(total)(columns == 1 ? even[i][c] + odd[i][c] : even[i][c]);
            for (int64_t q = p; q < k; q++) {
                const float w = half ? float_from_bfloat16(((const uint16_t *)weights)[i * ldw + q])
                                     : ((const float *)weights)[i * ldw + q];
                sum += w * x[c * x_stride + q];
            }
            out[i * columns + c] = sum;
        }
    }
}

#define COLUMN_CASE(n, half) \
    case n: if (n <= COLUMNS) NAME(dots)(weights, ldw, DOTS_ROWS, x, x_stride, n <= COLUMNS ? n : 1, k, out, half); return

#define DISPATCH(half)                                                                          \
    if (rows == DOTS_ROWS && !(IN_TURN(half) && columns == 1)) {                               \
        switch (columns) {                                                                      \
            COLUMN_CASE(1, half); COLUMN_CASE(2, half); COLUMN_CASE(3, half); COLUMN_CASE(4, half); \
        }                                                                                       \
    }                                                                                           \
    for (int i = 0; i < rows; i++) {                                                            \
        for (int c = 0; c < columns; c++) {                                                     \
            const char *row = (const char *)weights + i * ldw * (half ? 2 : 4);                 \
            NAME(dots)(row, ldw, 1, x + c * x_stride, x_stride, 1, k, out + i * columns + c, half); \
        }                                                                                       \
    }

TARGET static void NAME(float32)(const void *weights, int64_t ldw, int rows, const float *x, int64_t x_stride,
                                 int columns, int64_t k, float *out) {
    DISPATCH(false)
}

TARGET static void NAME(bfloat16)(const void *weights, int64_t ldw, int rows, const float *x, int64_t x_stride,
                                  int columns, int64_t k, float *out) {
    DISPATCH(true)
}

TARGET static void NAME(prepare)(const float *x, int64_t k, float *out) {
    const int64_t whole = k / (2 * LANES) * (2 * LANES);
    for (int64_t p = 0; p < whole; p += 2 * LANES) {
#pragma clang loop vectorize_width(LANES)
        for (int64_t i = 0; i < LANES; i++) {
            out[p + i] = float_from_bfloat16(bfloat16_from_float(x[p + 2 * i]));
            out[p + LANES + i] = float_from_bfloat16(bfloat16_from_float(x[p + 2 * i + 1]));
        }
    }
    for (int64_t p = whole; p < k; p++) out[p] = float_from_bfloat16(bfloat16_from_float(x[p]));
}

const dots_kernels NAME(dots_kernels) = {
    .lanes = LANES, .columns = COLUMNS, .float32 = NAME(float32), .bfloat16 = NAME(bfloat16), .prepare = NAME(prepare)};

#undef DISPATCH
#undef COLUMN_CASE
#undef NAME
#undef TARGET
#undef LANES
#undef COLUMNS
#undef IN_TURN
