// Tiles of products with quantised weights by AVX-512's dot products of bytes, and how their sums are stored; compiled for processors that
// round to bfloat16 by themselves and for those that do not.

#include "quantized_product.h"

#include <immintrin.h>

#define VITRAIL_WIDE 1
#include "vector.h"

#include "activations.h"

INLINE int32_t int_at(const char *place) {
    int32_t value;
    memcpy(&value, place, sizeof value);
    return value;
}

INLINE float float_at(const char *place) {
    float value;
    memcpy(&value, place, sizeof value);
    return value;
}

// MARK: Sums

/// Keeps the compiler from loading several quads of x at once, which the registers do not hold.
#define KEEP_ORDER() __asm__ volatile("" ::: "memory")

/// Adds four terms of `rows` rows of x by those of two groups of weights.
INLINE void add_quad(__m512i sums[PANEL_ROWS][2], __m512i first, __m512i second, const char *quad, const int rows) {
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
        const __m512i x = _mm512_set1_epi32(int_at(quad + 4 * i));
        sums[i][0] = _mm512_dpbusd_epi32(sums[i][0], first, x);
        sums[i][1] = _mm512_dpbusd_epi32(sums[i][1], second, x);
    }
}

/// What a row's sums are added to and stored in comes from memory while they are formed.
INLINE void ask_for_sums(const quantized_tile *tile, int row) {
    const char *const c = tile->c + row * tile->c_row;
    __builtin_prefetch(c, 1);
    __builtin_prefetch(c + tile->c_last, 1);
    if (!tile->addend) return;
    const char *const addend = (const char *)tile->addend + row * tile->addend_row;
    __builtin_prefetch(addend);
    __builtin_prefetch(addend + PAIR_ROWS * sizeof(float) - 1);
}

/// Rounds 32 sums to bfloat16.
INLINE void store_narrow(uint16_t *c, __m512 low, __m512 high) {
#ifdef VITRAIL_ROUNDS
    _mm512_storeu_si512(c, (__m512i)_mm512_cvtne2ps_pbh(high, low));
#else
    store_brain_n(c, (v16f)low, 16);
    store_brain_n(c + 16, (v16f)high, 16);
#endif
}

/// Whole rows leave their registers: bias and addend in the order of `store`.
INLINE void store_registers(const quantized_tile *tile, __m512 totals[PANEL_ROWS][2], const int rows) {
    const __m512 unit = _mm512_set1_ps(PANEL_UNIT);
    const __m512 left = tile->bias ? _mm512_loadu_ps(tile->bias) : _mm512_setzero_ps();
    const __m512 right = tile->bias ? _mm512_loadu_ps(tile->bias + 16) : _mm512_setzero_ps();
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
        totals[i][0] = _mm512_fmadd_ps(totals[i][0], unit, left);
        totals[i][1] = _mm512_fmadd_ps(totals[i][1], unit, right);
    }
    if (tile->addend) {
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) {
            const float *const addend = (const float *)((const char *)tile->addend + i * tile->addend_row);
            totals[i][0] += _mm512_loadu_ps(addend);
            totals[i][1] += _mm512_loadu_ps(addend + 16);
        }
    }
    if (tile->narrow) {
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) {
            store_narrow((uint16_t *)(tile->c + i * tile->c_row), totals[i][0], totals[i][1]);
        }
        return;
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
        float *const c = (float *)(tile->c + i * tile->c_row);
        store16(c, (v16f)totals[i][0]);
        store16(c + 16, (v16f)totals[i][1]);
    }
}

/// Scales of sixteen rows' blocks as the bits of float32.
INLINE __m512i scales_at(const uint8_t *place) {
    return _mm512_castps_si512(_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)place)));
}

/// Scales times a power of two, without the multipliers: `vpdpbusd` keeps them busy.
INLINE __m512 scaled(__m512i scales, int32_t exponent) {
    return _mm512_castsi512_ps(_mm512_add_epi32(scales, _mm512_set1_epi32(exponent)));
}

/// Bytes are multiplied without the weights' sign; a block's sums begin with what their offset adds, negative.
INLINE void multiply_tile(const quantized_tile *tile, float *out, const int rows, const bool four) {
    const uint8_t *scales[2] = {tile->groups[0], tile->groups[1]};
    const uint8_t *codes[2] = {scales[0] + tile->scale_bytes, scales[1] + tile->scale_bytes};
    const int terms = four ? VITRAIL_INT4_TERMS : tile->terms;
    const char *x = tile->panel + PANEL_HEADER, *ahead = tile->ahead;
    const int lines = tile->ahead_lines;
    const __m512i low = _mm512_set1_epi8(15);
    int asked = 0;
    __m512 totals[PANEL_ROWS][2];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) totals[i][0] = totals[i][1] = _mm512_set1_ps(float_at(tile->panel + 4 * i));
    for (int64_t block = tile->blocks; block > 0; block--, x += panel_block_bytes(terms)) {
        __m512i sums[PANEL_ROWS][2];
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) sums[i][0] = sums[i][1] = _mm512_set1_epi32(int_at(x + panel_offsets_at(terms) + 4 * i));
#pragma clang loop unroll_count(2)
        for (int quad = 0; quad < (four ? 4 : terms / 4); quad++) {
            const __m512i first = _mm512_loadu_si512(codes[0] + 64 * quad);
            const __m512i second = _mm512_loadu_si512(codes[1] + 64 * quad);
            const char *quads = x + 4 * PANEL_ROWS * quad;
            if (four) {
                add_quad(sums, _mm512_and_si512(first, low), _mm512_and_si512(second, low), quads, rows);
                KEEP_ORDER();
                add_quad(sums, _mm512_and_si512(_mm512_srli_epi16(first, 4), low),
                         _mm512_and_si512(_mm512_srli_epi16(second, 4), low), quads + 16 * PANEL_ROWS, rows);
            } else {
                add_quad(sums, first, second, quads, rows);
            }
            KEEP_ORDER();
        }
        for (int step = 0; step < terms && asked < rows; step += VITRAIL_INT8_STEP_TERMS) ask_for_sums(tile, asked++);
#pragma clang loop unroll(disable)
        for (int line = 0; line < lines; line++, ahead += 64) __builtin_prefetch(ahead, 0, 2);
        const __m512i first = scales_at(scales[0]), second = scales_at(scales[1]);
#pragma clang loop unroll(full)
        for (int i = 0; i < rows; i++) {
            const int32_t exponent = int_at(x + panel_exponents_at(terms) + 4 * i);
            totals[i][0] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[i][0]), scaled(first, exponent), totals[i][0]);
            totals[i][1] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[i][1]), scaled(second, exponent), totals[i][1]);
        }
        for (int i = 0; i < 2; i++) {
            scales[i] += QUANT_ROWS * sizeof(uint16_t);
            codes[i] += QUANT_ROWS * terms / (four ? 2 : 1);
        }
    }
    if (tile->is_whole) {
        store_registers(tile, totals, rows);
        return;
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
        _mm512_storeu_ps(out + i * PAIR_ROWS, totals[i][0] * PANEL_UNIT);
        _mm512_storeu_ps(out + i * PAIR_ROWS + 16, totals[i][1] * PANEL_UNIT);
    }
}

#define CASE(n, four) case n: multiply_tile(tile, out, n, four); break;
#define ALL_CASES(four)                                                                                                     \
    switch (tile->rows) { CASE(1, four) CASE(2, four) CASE(3, four) CASE(4, four) CASE(5, four) CASE(6, four) }

static void tile_int8(const quantized_tile *tile, float *out) { ALL_CASES(false) }
static void tile_int4(const quantized_tile *tile, float *out) { ALL_CASES(true) }

// MARK: C

/// `function` is a constant, negative for none. What is added comes in the order of `vitrail_matvec` and of what follows it.
INLINE void store_rows(const vitrail_product_args *args, int64_t row, int rows, int64_t column, int columns, const float *sums,
                       const int function) {
    for (int i = 0; i < rows; i++, row++, sums += PAIR_ROWS) {
        for (int j = 0; j < columns; j += 16) {
            const int64_t count = columns - j, at = row * args->ldc + column + j;
            v16f value = load16(sums + j) * args->alpha;
            if (args->accumulate) value += load_n(args->c + at, count);
            if (args->bias) value += load_n(args->bias + column + j, count);
            if (args->addend) value += load_n(args->addend + row * args->ld_addend + column + j, count);
            if (function >= 0) value = activate16(function, value, NULL);
            store_either(args->c, args->c_type == VITRAIL_BFLOAT16, at, value, count);
        }
    }
}

static void store(const vitrail_product_args *args, int64_t row, int rows, int64_t column, int columns, const float *sums) {
    if (!args->activates) {
        store_rows(args, row, rows, column, columns, sums, -1);
        return;
    }
#define STORE(function) store_rows(args, row, rows, column, columns, sums, function)
    FOR_ACTIVATION(args->activation, STORE)
#undef STORE
}

#define QUANTIZED_TILES {tile_int8, tile_int4, store}
