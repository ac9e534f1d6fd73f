// Lanes of 16 vectors: squares turned in registers, and one vector of what each one's lanes come to. Behind vector.h.
#ifndef LANES_H
#define LANES_H

/// One round of a 16 × 16 transposition: rows `step` apart exchange half of every group of 2 · step columns.
#define EXCHANGE(step, ...)                                                                                            \
    for (int i = 0; i < 16; i++) {                                                                                     \
        if (i & step) continue;                                                                                        \
        v16f a = rows[i], b = rows[i + step];                                                                          \
        rows[i] = __builtin_shufflevector(a, b, __VA_ARGS__);                                                          \
        rows[i + step] = EXCHANGE_HIGH_##step;                                                                         \
    }
#define EXCHANGE_HIGH_8 __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
#define EXCHANGE_HIGH_4 __builtin_shufflevector(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31)
#define EXCHANGE_HIGH_2 __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#define EXCHANGE_HIGH_1 __builtin_shufflevector(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31)

/// 16 rows of 16 columns, turned.
INLINE void transpose16(v16f rows[16]) {
    EXCHANGE(8, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
    EXCHANGE(4, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27)
    EXCHANGE(2, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
    EXCHANGE(1, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30)
}

/// max or + of the lanes of each of 16 vectors, as one vector.
#define REDUCE_LANES(name, COMBINE)                                                                                    \
    INLINE v16f name(v16f rows[16]) {                                                                                  \
        for (int i = 0; i < 8; i++) {                                                                                  \
            v16f a = rows[i], b = rows[i + 8];                                                                         \
            v16f low = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);          \
            rows[i] = COMBINE(low, EXCHANGE_HIGH_8);                                                                   \
        }                                                                                                              \
        for (int i = 0; i < 4; i++) {                                                                                  \
            v16f a = rows[i], b = rows[i + 4];                                                                         \
            v16f low = __builtin_shufflevector(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);        \
            rows[i] = COMBINE(low, EXCHANGE_HIGH_4);                                                                   \
        }                                                                                                              \
        for (int i = 0; i < 2; i++) {                                                                                  \
            v16f a = rows[i], b = rows[i + 2];                                                                         \
            v16f low = __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);        \
            rows[i] = COMBINE(low, EXCHANGE_HIGH_2);                                                                   \
        }                                                                                                              \
        v16f a = rows[0], b = rows[1];                                                                                 \
        v16f low = __builtin_shufflevector(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);           \
        return COMBINE(low, EXCHANGE_HIGH_1);                                                                          \
    }

INLINE v16f larger16(v16f a, v16f b) { return a > b ? a : b; }
INLINE v16f plus16(v16f a, v16f b) { return a + b; }
REDUCE_LANES(maxima16, larger16)
REDUCE_LANES(sums16, plus16)

#endif
