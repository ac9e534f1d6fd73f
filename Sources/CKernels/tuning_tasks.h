// Loops of tuning.c.

/// The values of the first n codes of 4 bits from a byte on, at most 16.
INLINE v16f nibble_values(const codes_args *a, const uint8_t *codes, ptrdiff_t n) {
#if VITRAIL_WIDE
    if (__builtin_expect(n >= 16, 1)) {
        // The 16 values are one register; the codes of 8 bytes choose from it.
        const __m128i bytes = _mm_loadl_epi64((const __m128i *)codes), low = _mm_set1_epi8(15);
        const __m128i pairs =
            _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi16(bytes, 4), low), _mm_and_si128(bytes, low));
        return (v16f)_mm512_permutexvar_ps(_mm512_cvtepu8_epi32(pairs), _mm512_loadu_ps(a->values));
    }
#endif
    float lanes[16];
    const ptrdiff_t bytes_read = n < 16 ? (n + 1) / 2 : 8;
    for (ptrdiff_t i = 0; i < bytes_read; i++) memcpy(lanes + 2 * i, a->pairs + 2 * codes[i], 2 * sizeof(float));
    return load_n(lanes, n);
}

/// The same of codes of 8 bits.
INLINE v16f byte_values(const int8_t *codes, ptrdiff_t n) {
    typedef int8_t v16c __attribute__((ext_vector_type(16)));
    v16c bytes = 0;
    if (__builtin_expect(n >= 16, 1)) memcpy(&bytes, codes, sizeof bytes);
    else memcpy(&bytes, codes, (size_t)n);
    return __builtin_convertvector(bytes, v16f);
}

#ifdef VITRAIL_ROUNDS
/// Writes a whole block of 4-bit codes as bfloat16: what the 16 codes mean is scaled and rounded once, and chosen from.
INLINE void widen_nibbles(const codes_args *a, ptrdiff_t start, float scale) {
    const v16f meanings = (v16f)_mm512_loadu_ps(a->values) * scale;
    const __m512i table = _mm512_castsi256_si512((__m256i)_mm512_cvtneps_pbh((__m512)meanings));
    const __m512i second = _mm512_set1_epi32(15 << 16);
    for (ptrdiff_t i = start; i < start + VITRAIL_CODE_BLOCK; i += 32) {
        // A byte's high half chooses the lower of two words, its low half the other.
        const __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(a->codes + i / 2)));
        const __m512i chosen =
            _mm512_or_si512(_mm512_srli_epi32(bytes, 4), _mm512_and_si512(_mm512_slli_epi32(bytes, 16), second));
        _mm512_storeu_si512((uint16_t *)a->destination + i, _mm512_permutexvar_epi16(chosen, table));
    }
}
#endif

/// A part owns runs of whole blocks.
static void widen_codes_task(void *context, int part, int parts) {
    const codes_args *a = context;
    ptrdiff_t begin, end;
    vitrail_share(a->count, 8 * VITRAIL_CODE_BLOCK, part, parts, &begin, &end);
    for (ptrdiff_t start = begin; start < end; start += VITRAIL_CODE_BLOCK) {
        const ptrdiff_t block = start / VITRAIL_CODE_BLOCK;
        const ptrdiff_t last = end - start < VITRAIL_CODE_BLOCK ? end : start + VITRAIL_CODE_BLOCK;
        const float scale = code_scale(a->of, block);
#ifdef VITRAIL_ROUNDS
        if (a->pairs && a->is_narrow && last - start == VITRAIL_CODE_BLOCK) {
            widen_nibbles(a, start, scale);
            continue;
        }
#endif
        if (a->pairs) {
            EACH16(i, n, start, last) {
                store_either(a->destination, a->is_narrow, i, nibble_values(a, a->codes + i / 2, n) * scale, n);
            }
        } else {
            const float step = scale / 127.0f;
            EACH16(i, n, start, last) {
                store_either(a->destination, a->is_narrow, i, byte_values((const int8_t *)a->codes + i, n) * step, n);
            }
        }
    }
}
