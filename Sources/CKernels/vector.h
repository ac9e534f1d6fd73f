// Vectors of 16 floats, lowered to whatever registers the including file's target has.
// Included by the variant_*.c files only, inside their `target` region.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline, unused))
#define EACH16(i, n, begin, end) for (ptrdiff_t i = (begin), n; n = (end) - i, n > 0; i += 16)

typedef float v16f __attribute__((ext_vector_type(16)));
typedef float v8f __attribute__((ext_vector_type(8)));
typedef float v4f __attribute__((ext_vector_type(4)));
typedef int32_t v8i __attribute__((ext_vector_type(8)));
typedef uint64_t v8u __attribute__((ext_vector_type(8)));
typedef double v8d __attribute__((ext_vector_type(8)));
typedef int32_t v16i __attribute__((ext_vector_type(16)));

INLINE v16f load16(const float *p) {
    v16f v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void store16(float *p, v16f v) { memcpy(p, &v, sizeof v); }

/// The first n (1 ... 16) lanes from memory, zeros after them. Nothing beyond n is touched.
INLINE v16f load_n(const float *p, ptrdiff_t n) {
    if (__builtin_expect(n >= 16, 1)) return load16(p);
#ifdef VITRAIL_WIDE
    return (v16f)_mm512_maskz_loadu_ps((__mmask16)((1 << n) - 1), p);
#else
    float lanes[16] = {0};
    for (ptrdiff_t i = 0; i < n; i++) lanes[i] = p[i];
    return load16(lanes);
#endif
}

INLINE void store_n(float *p, v16f v, ptrdiff_t n) {
    if (__builtin_expect(n >= 16, 1)) {
        store16(p, v);
        return;
    }
#ifdef VITRAIL_WIDE
    _mm512_mask_storeu_ps(p, (__mmask16)((1 << n) - 1), (__m512)v);
#else
    float lanes[16];
    store16(lanes, v);
    for (ptrdiff_t i = 0; i < n; i++) p[i] = lanes[i];
#endif
}

typedef uint32_t v16u __attribute__((ext_vector_type(16)));
typedef uint16_t v16h __attribute__((ext_vector_type(16)));

/// The first n lanes as bfloat16, nearest even; NaN stays NaN (quiet).
INLINE void store_brain_n(uint16_t *p, v16f v, ptrdiff_t n) {
    v16u bits;
    memcpy(&bits, &v, sizeof bits);
    v16u rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    rounded = (bits & 0x7FFFFFFF) > 0x7F800000 ? (bits >> 16 | 0x40) : rounded;
    v16h narrow = __builtin_convertvector(rounded, v16h);
    if (__builtin_expect(n >= 16, 1)) {
        memcpy(p, &narrow, sizeof narrow);
        return;
    }
    for (ptrdiff_t i = 0; i < n; i++) p[i] = narrow[i];
}

/// The first n lanes from bfloat16, zeros after them.
INLINE v16f load_brain_n(const uint16_t *p, ptrdiff_t n) {
    v16h narrow = 0;
    if (__builtin_expect(n >= 16, 1)) {
        memcpy(&narrow, p, sizeof narrow);
    } else {
#ifdef VITRAIL_WIDE
        narrow = (v16h)_mm256_maskz_loadu_epi16((__mmask16)((1 << n) - 1), p);
#else
        for (ptrdiff_t i = 0; i < n; i++) narrow[i] = p[i];
#endif
    }
    return (v16f)(__builtin_convertvector(narrow, v16u) << 16);
}

/// Loads from element `index` of floats, or of bfloat16 where `is_narrow`.
INLINE v16f load_either(const float *p, bool is_narrow, ptrdiff_t index, ptrdiff_t n) {
    return is_narrow ? load_brain_n((const uint16_t *)p + index, n) : load_n(p + index, n);
}

/// Stores to element `index` of floats, or of bfloat16 where `is_narrow`: as `store_brain_n`, but that a processor which rounds by
/// itself makes zeros of denormal numbers, as its products do.
INLINE void store_either(float *p, bool is_narrow, ptrdiff_t index, v16f v, ptrdiff_t n) {
    if (is_narrow) {
#ifdef VITRAIL_ROUNDS
        const __m256i narrow = (__m256i)_mm512_cvtneps_pbh((__m512)v);
        if (__builtin_expect(n >= 16, 1)) {
            _mm256_storeu_si256((__m256i *)((uint16_t *)p + index), narrow);
        } else {
            _mm256_mask_storeu_epi16((uint16_t *)p + index, (__mmask16)((1 << n) - 1), narrow);
        }
#else
        store_brain_n((uint16_t *)p + index, v, n);
#endif
    } else {
        store_n(p + index, v, n);
    }
}

#ifdef VITRAIL_ROUNDS
/// Two rows of 16 as 16 pairs of bfloat16.
INLINE __m512i pairs_of(v16f first, v16f second) {
    const __m512i order = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1,
        16, 0);
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
}
#endif

/// Bytes ahead of what is read or written now that are asked for: a thread's own prefetching fetches 12 GB/s of a long row from
/// the third-level cache or memory, with these 17, and stores wait less for the lines that they go to.
enum { READ_AHEAD = 8192, WRITE_AHEAD = 2048 };

/// Will read what lies a while behind element `index`.
INLINE void ahead_of_read(const float *p, bool is_narrow, ptrdiff_t index) {
    __builtin_prefetch((const char *)p + index * (is_narrow ? 2 : 4) + READ_AHEAD);
}

/// Will write what lies a while behind element `index`.
INLINE void ahead_of_write(const float *p, bool is_narrow, ptrdiff_t index) {
    __builtin_prefetch((const char *)p + index * (is_narrow ? 2 : 4) + WRITE_AHEAD, 1);
}

INLINE float sum16(v16f v) {
    v8f a = v.lo + v.hi;
    v4f b = a.lo + a.hi;
    return (b.x + b.z) + (b.y + b.w);
}

INLINE float max16(v16f v) {
    v8f a = v.lo > v.hi ? v.lo : v.hi;
    v4f b = a.lo > a.hi ? a.lo : a.hi;
    float c = b.x > b.z ? b.x : b.z, d = b.y > b.w ? b.y : b.w;
    return c > d ? c : d;
}

/// Lane numbers below n keep their value, the others become `other`.
INLINE v16f keep_n(v16f v, ptrdiff_t n, float other) {
    const v16i lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return lane < (v16i)(int32_t)n ? v : (v16f)other;
}

/// 2^x for x < 127.5 with a relative error under 2e-7; below −126.5 zero. NaN stays NaN.
INLINE v16f exp2_16(v16f x) {
#ifdef VITRAIL_WIDE
    // 2^(x − ⌊x⌋) by a polynomial that is exactly 1 at 0, then scaled by 2^⌊x⌋; what would be denormal is zero.
    const v16f f = (v16f)_mm512_reduce_ps((__m512)x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    v16f p = 1.86713005e-3f;
    p = p * f + 9.01703071e-3f;
    p = p * f + 5.57999127e-2f;
    p = p * f + 2.40164444e-1f;
    p = p * f + 6.93151295e-1f;
    p = p * f + 1.0f;
    const __mmask16 kept = _mm512_cmp_ps_mask((__m512)x, _mm512_set1_ps(-126.0f), _CMP_NLT_UQ);
    return (v16f)_mm512_maskz_scalef_ps(kept, (__m512)p, (__m512)x);
#else
    const v16f magic = 12582912.0f;  // 1.5 · 2^23: adding it rounds to an integer in the low bits
    v16f y = x < -127.0f ? (v16f)-127.0f : x;
    v16f shifted = y + magic;
    v16f f = y - (shifted - magic);
    v16f p = 1.53458118e-4f;
    p = p * f + 1.33999312e-3f;
    p = p * f + 9.61848896e-3f;
    p = p * f + 5.55032878e-2f;
    p = p * f + 2.40226469e-1f;
    p = p * f + 6.93147206e-1f;
    p = p * f + 1.0f;  // exactly 1 at 0, so that a row with one key has exactly that key's value
    v16i power = ((v16i)shifted + 127) << 23;  // zero for n = −127
    return p * (v16f)power;
#endif
}

/// e^x with a relative error under 2e-7; zero below −87.3, limited to e^88 above; NaN stays NaN.
INLINE v16f exp16(v16f x) {
    const v16f magic = 12582912.0f;
    v16f y = x > 88.0f ? (v16f)88.0f : x;
    v16f shifted = y * 1.44269504f + magic;
    v16f n = shifted - magic;
    v16f r = y - n * 0.693359375f;  // ln 2 in two parts, the first exact when multiplied by n
    r = r + n * 2.12194440e-4f;
    v16f q = 1.39013043e-3f;
    q = q * r + 8.36321380e-3f;
    q = q * r + 4.16668544e-2f;
    q = q * r + 1.66665769e-1f;
    q = q * r + 4.99999995e-1f;
    v16f p = r * r * q + r + 1.0f;
    v16i power = ((v16i)shifted + 127) << 23;
    v16f result = p * (v16f)power;
    return x < -87.3f ? (v16f)0.0f : result;
}

/// 1/x to 1e-7 for x from 1e-37 to 1e37: the processor's estimate of 14 bits and a step of Newton's, a quarter of a division.
INLINE v16f reciprocal16(v16f x) {
#ifdef VITRAIL_WIDE
    const v16f y = (v16f)_mm512_rcp14_ps((__m512)x);
    return y * (1.0f - x * y) + y;
#else
    return 1.0f / x;
#endif
}

/// NaN stays NaN. From −85 down e^85, which nobody tells from what it should be.
INLINE v16f sigmoid16(v16f x) {
    const v16f high = 85.0f;
    const v16f y = -x > high ? high : -x;
#ifdef VITRAIL_WIDE
    return reciprocal16(1.0f + exp2_16(y * 1.44269504f));
#else
    return reciprocal16(1.0f + exp16(y));
#endif
}

INLINE v16f abs16(v16f x) { return __builtin_elementwise_abs(x); }

/// tanh x: an odd polynomial near zero, 1 − 2/(e^2|x| + 1) elsewhere.
INLINE v16f tanh16(v16f x) {
    v16f a = abs16(x), s = x * x;
    v16f q = 2.26958745e-3f;
    q = q * s - 8.32327292e-3f;
    q = q * s + 2.17625330e-2f;
    q = q * s - 5.39584659e-2f;
    q = q * s + 1.33333002e-1f;
    q = q * s - 3.33333331e-1f;
    v16f near = x * s * q + x;
    v16f far = 1.0f - 2.0f * sigmoid16(-2.0f * a);
    far = __builtin_elementwise_copysign(far, x);
    return s < 0.4f ? near : far;
}

/// The normal distribution Φ(x) and its density. Φ(−a) = e^(−a²/2) · t · P(t) with t = 1/(1 + 0.33 a), a >= 0;
/// P was fitted to a relative error of 5e-8, so the lower tail keeps its digits.
INLINE v16f normal16(v16f x, v16f *density) {
    v16f a = abs16(x);
    v16f e = exp16(-0.5f * x * x);
    v16f t = reciprocal16(1.0f + 0.33f * (a > 64.0f ? (v16f)64.0f : a));  // the tail is zero long before
    v16f p = -2.14136783e-2f;
    p = p * t + 1.25969812e-1f;
    p = p * t - 2.73025781e-1f;
    p = p * t + 2.31142268e-1f;
    p = p * t - 6.08951561e-2f;
    p = p * t + 1.23618707e-1f;
    p = p * t + 1.10622756e-1f;
    p = p * t + 1.32362261e-1f;
    p = p * t + 1.31618828e-1f;
    v16f tail = e * t * p;
    *density = e * 0.398942280f;
    return x > 0.0f ? 1.0f - tail : tail;
}
