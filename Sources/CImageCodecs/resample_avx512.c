// The resampling loops for AVX-512 with VNNI, whose byte dot product takes a quad of pixels at once. A coefficient is
// split into three signed bytes, k2 * 2^16 + k1 * 2^8 + k0; their sums are joined at the end.
#include "resample_internal.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define AVX512_INLINE \
    static inline __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni"), always_inline))

static bool encode(const int32_t *coefficients, size_t quads, uint32_t *packed) {
    for (size_t q = 0; q < quads; q++) {
        uint32_t limbs[3] = {0};
        for (int i = 0; i < 4; i++) {
            int32_t value = coefficients[4 * q + (size_t)i];
            int32_t low = (int8_t)value, middle = (int8_t)((value - low) >> 8);
            int32_t high = ((value - low) >> 8) - middle;
            high >>= 8;
            if (high < INT8_MIN || high > INT8_MAX) return false;
            limbs[0] |= (uint32_t)(uint8_t)low << (8 * i);
            limbs[1] |= (uint32_t)(uint8_t)middle << (8 * i);
            limbs[2] |= (uint32_t)(uint8_t)high << (8 * i);
        }
        packed[4 * q] = limbs[0];
        packed[4 * q + 1] = limbs[1];
        packed[4 * q + 2] = limbs[2];
        packed[4 * q + 3] = 0;
    }
    return true;
}

// Four rows, a 128-bit lane each; at the end of a row only what belongs to it is read.
AVX512_INLINE __m512i load_rows(
    const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d, size_t at, __mmask16 mask) {
    __m512i rows;
    if (mask == 0xffff) {
        rows = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(a + at)));
        rows = _mm512_inserti32x4(rows, _mm_loadu_si128((const __m128i *)(b + at)), 1);
        rows = _mm512_inserti32x4(rows, _mm_loadu_si128((const __m128i *)(c + at)), 2);
        return _mm512_inserti32x4(rows, _mm_loadu_si128((const __m128i *)(d + at)), 3);
    }
    rows = _mm512_castsi128_si512(_mm_maskz_loadu_epi8(mask, a + at));
    rows = _mm512_inserti32x4(rows, _mm_maskz_loadu_epi8(mask, b + at), 1);
    rows = _mm512_inserti32x4(rows, _mm_maskz_loadu_epi8(mask, c + at), 2);
    return _mm512_inserti32x4(rows, _mm_maskz_loadu_epi8(mask, d + at), 3);
}

AVX512_INLINE void pack_quad(
    const uint8_t *const *r, size_t at, __mmask16 mask, uint32_t *to, size_t plane) {
    const __m512i order = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1));
    // R R R R G G G G B B B B of rows i, 4 + i, 8 + i, 12 + i
    __m512i a = _mm512_shuffle_epi8(load_rows(r[0], r[4], r[8], r[12], at, mask), order);
    __m512i b = _mm512_shuffle_epi8(load_rows(r[1], r[5], r[9], r[13], at, mask), order);
    __m512i c = _mm512_shuffle_epi8(load_rows(r[2], r[6], r[10], r[14], at, mask), order);
    __m512i d = _mm512_shuffle_epi8(load_rows(r[3], r[7], r[11], r[15], at, mask), order);
    __m512i low_ab = _mm512_unpacklo_epi32(a, b), low_cd = _mm512_unpacklo_epi32(c, d);
    __m512i high_ab = _mm512_unpackhi_epi32(a, b), high_cd = _mm512_unpackhi_epi32(c, d);
    _mm512_store_si512(to, _mm512_unpacklo_epi64(low_ab, low_cd));
    _mm512_store_si512(to + plane, _mm512_unpackhi_epi64(low_ab, low_cd));
    _mm512_store_si512(to + 2 * plane, _mm512_unpacklo_epi64(high_ab, high_cd));
}

AVX512 static void pack(const uint8_t *const *rows, size_t bytes, uint32_t quads, uint32_t *block) {
    size_t plane = (size_t)quads * LANES;
    for (uint32_t q = 0; q < quads; q++) {
        size_t at = (size_t)q * 12;
        if (at + 16 <= bytes) {
            pack_quad(rows, at, 0xffff, block + (size_t)q * LANES, plane);
        } else {
            __mmask16 mask = at < bytes ? (__mmask16)((1u << (bytes - at)) - 1) : 0;
            pack_quad(rows, at, mask, block + (size_t)q * LANES, plane);
        }
    }
}

AVX512_INLINE __m512i join(__m512i low, __m512i middle, __m512i high) {
    __m512i sum = _mm512_add_epi32(_mm512_slli_epi32(high, 16), _mm512_slli_epi32(middle, 8));
    sum = _mm512_add_epi32(sum, low);  // low starts at one half
    return _mm512_max_epi32(_mm512_srai_epi32(sum, PRECISION_BITS), _mm512_setzero_si512());
}

// Three channels of output x: 16 bytes each.
AVX512_INLINE void dot_three(
    const resample_axis *axis, uint32_t x, const uint32_t *block, size_t plane, __m128i *out) {
    const __m512i half = _mm512_set1_epi32(1 << (PRECISION_BITS - 1)), zero = _mm512_setzero_si512();
    __m512i r0 = half, g0 = half, b0 = half;
    __m512i r1 = zero, g1 = zero, b1 = zero, r2 = zero, g2 = zero, b2 = zero;
    const uint32_t *k = axis->packed + (size_t)axis->offset[x] * 4;
    const uint32_t *in = block + (size_t)axis->first[x] * LANES, *end = in + (size_t)axis->quads[x] * LANES;
    for (; in != end; in += LANES, k += 4) {
        __m512i r = _mm512_load_si512(in), g = _mm512_load_si512(in + plane), b = _mm512_load_si512(in + 2 * plane);
        __m512i k0 = _mm512_set1_epi32((int)k[0]), k1 = _mm512_set1_epi32((int)k[1]);
        __m512i k2 = _mm512_set1_epi32((int)k[2]);
        r0 = _mm512_dpbusd_epi32(r0, r, k0), g0 = _mm512_dpbusd_epi32(g0, g, k0);
        b0 = _mm512_dpbusd_epi32(b0, b, k0), r1 = _mm512_dpbusd_epi32(r1, r, k1);
        g1 = _mm512_dpbusd_epi32(g1, g, k1), b1 = _mm512_dpbusd_epi32(b1, b, k1);
        r2 = _mm512_dpbusd_epi32(r2, r, k2), g2 = _mm512_dpbusd_epi32(g2, g, k2);
        b2 = _mm512_dpbusd_epi32(b2, b, k2);
    }
    out[0] = _mm512_cvtusepi32_epi8(join(r0, r1, r2));
    out[1] = _mm512_cvtusepi32_epi8(join(g0, g1, g2));
    out[2] = _mm512_cvtusepi32_epi8(join(b0, b1, b2));
}

AVX512 static void horizontal(
    const resample_axis *axis, const uint32_t *block, uint32_t quads, uint32_t *out, size_t row_stride,
    size_t columns) {
    size_t plane = (size_t)quads * LANES;
    for (uint32_t x = 0; x < axis->count; x += 4) {
        __m128i bytes[4][3];
        for (uint32_t i = 0; i < 4; i++) dot_three(axis, x + i, block, plane, bytes[i]);
        for (size_t c = 0; c < 3; c++) {  // four outputs by four row quads, transposed
            __m128i low01 = _mm_unpacklo_epi32(bytes[0][c], bytes[1][c]);
            __m128i low23 = _mm_unpacklo_epi32(bytes[2][c], bytes[3][c]);
            __m128i high01 = _mm_unpackhi_epi32(bytes[0][c], bytes[1][c]);
            __m128i high23 = _mm_unpackhi_epi32(bytes[2][c], bytes[3][c]);
            uint32_t *to = out + c * columns + x;
            _mm_store_si128((__m128i *)to, _mm_unpacklo_epi64(low01, low23));
            _mm_store_si128((__m128i *)(to + row_stride), _mm_unpackhi_epi64(low01, low23));
            _mm_store_si128((__m128i *)(to + 2 * row_stride), _mm_unpacklo_epi64(high01, high23));
            _mm_store_si128((__m128i *)(to + 3 * row_stride), _mm_unpackhi_epi64(high01, high23));
        }
    }
}

AVX512 static void vertical(
    const resample_axis *axis, uint32_t y, const uint32_t *in, size_t row_stride, size_t columns, uint8_t *out) {
    const __m512i half = _mm512_set1_epi32(1 << (PRECISION_BITS - 1)), zero = _mm512_setzero_si512();
    const uint32_t *packed = axis->packed + (size_t)axis->offset[y] * 4;
    uint32_t quads = axis->quads[y];
    in += axis->first[y] * row_stride;
    size_t x = 0;
    for (; x + 32 <= columns; x += 32) {
        __m512i a0 = half, b0 = half, a1 = zero, b1 = zero, a2 = zero, b2 = zero;
        const uint32_t *k = packed, *from = in + x;
        for (uint32_t q = 0; q < quads; q++, k += 4, from += row_stride) {
            __m512i a = _mm512_load_si512(from), b = _mm512_load_si512(from + LANES);
            __m512i k0 = _mm512_set1_epi32((int)k[0]), k1 = _mm512_set1_epi32((int)k[1]);
            __m512i k2 = _mm512_set1_epi32((int)k[2]);
            a0 = _mm512_dpbusd_epi32(a0, a, k0), b0 = _mm512_dpbusd_epi32(b0, b, k0);
            a1 = _mm512_dpbusd_epi32(a1, a, k1), b1 = _mm512_dpbusd_epi32(b1, b, k1);
            a2 = _mm512_dpbusd_epi32(a2, a, k2), b2 = _mm512_dpbusd_epi32(b2, b, k2);
        }
        _mm_storeu_si128((__m128i *)(out + x), _mm512_cvtusepi32_epi8(join(a0, a1, a2)));
        _mm_storeu_si128((__m128i *)(out + x + LANES), _mm512_cvtusepi32_epi8(join(b0, b1, b2)));
    }
    for (; x < columns; x += LANES) {
        __m512i a0 = half, a1 = zero, a2 = zero;
        const uint32_t *k = packed, *from = in + x;
        for (uint32_t q = 0; q < quads; q++, k += 4, from += row_stride) {
            __m512i a = _mm512_load_si512(from);
            a0 = _mm512_dpbusd_epi32(a0, a, _mm512_set1_epi32((int)k[0]));
            a1 = _mm512_dpbusd_epi32(a1, a, _mm512_set1_epi32((int)k[1]));
            a2 = _mm512_dpbusd_epi32(a2, a, _mm512_set1_epi32((int)k[2]));
        }
        _mm_storeu_si128((__m128i *)(out + x), _mm512_cvtusepi32_epi8(join(a0, a1, a2)));
    }
}

const resample_kernels vitrail_resample_kernels_avx512 = {3, encode, pack, horizontal, vertical};

#endif
