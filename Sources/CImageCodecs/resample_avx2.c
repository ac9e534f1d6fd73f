// The resampling loops for AVX2. A coefficient is split as high * 2^11 + low, so that both halves fit the 16-bit
// multiply-add; the halves' sums are joined at the end.
#include "resample_internal.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2")))
#define AVX2_INLINE static inline __attribute__((target("avx2"), always_inline))

enum { LOW_BITS = 11 };

// A quad's four words: low halves of taps 0 and 2, of 1 and 3, then the high halves.
static bool encode(const int32_t *coefficients, size_t quads, uint32_t *packed) {
    for (size_t q = 0; q < quads; q++) {
        uint16_t low[4], high[4];
        for (int i = 0; i < 4; i++) {
            int32_t value = coefficients[4 * q + (size_t)i], top = value >> LOW_BITS;
            if (top < INT16_MIN || top > INT16_MAX) return false;
            low[i] = (uint16_t)(value & ((1 << LOW_BITS) - 1));
            high[i] = (uint16_t)top;
        }
        packed[4 * q] = low[0] | (uint32_t)low[2] << 16;
        packed[4 * q + 1] = low[1] | (uint32_t)low[3] << 16;
        packed[4 * q + 2] = high[0] | (uint32_t)high[2] << 16;
        packed[4 * q + 3] = high[1] | (uint32_t)high[3] << 16;
    }
    return true;
}

AVX2 static void pack(const uint8_t *const *rows, size_t bytes, uint32_t quads, uint32_t *block) {
    const __m128i order = _mm_setr_epi8(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1);
    for (int group = 0; group < LANES; group += 4)
        for (uint32_t q = 0; q < quads; q++) {
            __m128i r[4];
            size_t at = (size_t)q * 12;
            for (int i = 0; i < 4; i++) {
                if (at + 16 <= bytes) {
                    r[i] = _mm_loadu_si128((const __m128i *)(rows[group + i] + at));
                } else {
                    uint8_t rest[16] = {0};
                    if (at < bytes) memcpy(rest, rows[group + i] + at, bytes - at);
                    r[i] = _mm_loadu_si128((const __m128i *)rest);
                }
                r[i] = _mm_shuffle_epi8(r[i], order);  // R R R R G G G G B B B B
            }
            __m128i low01 = _mm_unpacklo_epi32(r[0], r[1]), low23 = _mm_unpacklo_epi32(r[2], r[3]);
            __m128i high01 = _mm_unpackhi_epi32(r[0], r[1]), high23 = _mm_unpackhi_epi32(r[2], r[3]);
            uint32_t *to = block + (size_t)q * LANES + group;
            size_t plane = (size_t)quads * LANES;
            _mm_store_si128((__m128i *)to, _mm_unpacklo_epi64(low01, low23));
            _mm_store_si128((__m128i *)(to + plane), _mm_unpackhi_epi64(low01, low23));
            _mm_store_si128((__m128i *)(to + 2 * plane), _mm_unpacklo_epi64(high01, high23));
        }
}

typedef struct {
    __m256i low, high;
} sums;

AVX2_INLINE void accumulate(sums *acc, __m256i quads, const uint32_t *k) {
    const __m256i mask = _mm256_set1_epi32(0x00ff00ff);
    __m256i even = _mm256_and_si256(quads, mask), odd = _mm256_and_si256(_mm256_srli_epi16(quads, 8), mask);
    __m256i low = _mm256_add_epi32(
        _mm256_madd_epi16(even, _mm256_set1_epi32((int)k[0])), _mm256_madd_epi16(odd, _mm256_set1_epi32((int)k[1])));
    __m256i high = _mm256_add_epi32(
        _mm256_madd_epi16(even, _mm256_set1_epi32((int)k[2])), _mm256_madd_epi16(odd, _mm256_set1_epi32((int)k[3])));
    acc->low = _mm256_add_epi32(acc->low, low);
    acc->high = _mm256_add_epi32(acc->high, high);
}

// Eight sums to eight bytes.
AVX2_INLINE __m128i round_and_clip(sums acc) {
    __m256i sum = _mm256_add_epi32(_mm256_slli_epi32(acc.high, LOW_BITS), acc.low);
    sum = _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(1 << (PRECISION_BITS - 1))), PRECISION_BITS);
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    return _mm_packus_epi16(words, words);
}

AVX2 static void horizontal(
    const resample_axis *axis, const uint32_t *block, uint32_t quads, uint32_t *out, size_t row_stride,
    size_t columns) {
    for (uint32_t x = 0; x < axis->count; x++)
        for (size_t c = 0; c < 3; c++) {
            sums a = {_mm256_setzero_si256(), _mm256_setzero_si256()}, b = a;
            const uint32_t *k = axis->packed + (size_t)axis->offset[x] * 4;
            const uint32_t *in = block + (c * quads + axis->first[x]) * LANES;
            for (uint32_t q = 0; q < axis->quads[x]; q++, in += LANES, k += 4) {
                accumulate(&a, _mm256_load_si256((const __m256i *)in), k);
                accumulate(&b, _mm256_load_si256((const __m256i *)(in + 8)), k);
            }
            __m128i bytes = _mm_unpacklo_epi64(round_and_clip(a), round_and_clip(b));
            uint32_t *to = out + c * columns + x;
            to[0] = (uint32_t)_mm_extract_epi32(bytes, 0);
            to[row_stride] = (uint32_t)_mm_extract_epi32(bytes, 1);
            to[2 * row_stride] = (uint32_t)_mm_extract_epi32(bytes, 2);
            to[3 * row_stride] = (uint32_t)_mm_extract_epi32(bytes, 3);
        }
}

AVX2 static void vertical(
    const resample_axis *axis, uint32_t y, const uint32_t *in, size_t row_stride, size_t columns, uint8_t *out) {
    in += axis->first[y] * row_stride;
    for (size_t x = 0; x < columns; x += LANES) {
        sums a = {_mm256_setzero_si256(), _mm256_setzero_si256()}, b = a;
        const uint32_t *k = axis->packed + (size_t)axis->offset[y] * 4;
        for (uint32_t q = 0; q < axis->quads[y]; q++, k += 4) {
            accumulate(&a, _mm256_load_si256((const __m256i *)(in + q * row_stride + x)), k);
            accumulate(&b, _mm256_load_si256((const __m256i *)(in + q * row_stride + x + 8)), k);
        }
        _mm_storeu_si128((__m128i *)(out + x), _mm_unpacklo_epi64(round_and_clip(a), round_and_clip(b)));
    }
}

const resample_kernels vitrail_resample_kernels_avx2 = {2, encode, pack, horizontal, vertical};

#endif
