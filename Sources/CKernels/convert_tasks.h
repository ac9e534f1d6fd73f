// Loops of convert.c. Blocks lie as vitrail_blocks.h says.

#include "blocks.h"

INLINE float half_value(uint16_t bits) {
    _Float16 half;
    memcpy(&half, &bits, sizeof half);
    return (float)half;
}

INLINE uint16_t half_bits(float value) {
    _Float16 half = (_Float16)value;
    uint16_t bits;
    memcpy(&bits, &half, sizeof bits);
    return bits;
}

INLINE float brain_value(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

INLINE uint16_t brain_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    return (uint16_t)((bits & 0x7FFFFFFF) > 0x7F800000 ? (bits >> 16 | 0x40) : rounded);
}

INLINE void int8_block_to_float(const uint8_t *block, float *destination, ptrdiff_t n) {
    uint16_t bits;
    memcpy(&bits, block, 2);
    float scale = half_value(bits);
    const int8_t *codes = (const int8_t *)block + 2;
    for (ptrdiff_t i = 0; i < n; i++) destination[i] = scale * (float)codes[i];
}

INLINE void int4_block_to_float(const uint8_t *block, float *destination, ptrdiff_t n) {
    uint16_t bits;
    memcpy(&bits, block, 2);
    float scale = half_value(bits), values[32];
    for (int i = 0; i < 16; i++) {
        values[i] = scale * (float)((block[2 + i] & 15) - 8);
        values[i + 16] = scale * (float)((block[2 + i] >> 4) - 8);
    }
    memcpy(destination, values, sizeof(float) * (size_t)n);
}

INLINE void blocks_to_float(const uint8_t *block, vitrail_dtype dtype, float *destination, ptrdiff_t n) {
    const vitrail_weight_format format = format_of(dtype);
    const ptrdiff_t terms = terms_of(format), bytes = file_bytes_of(format, terms);
    for (ptrdiff_t i = 0; i < n; i += terms, block += bytes) {
        const ptrdiff_t count = n - i < terms ? n - i : terms;
        if (dtype == VITRAIL_DTYPE_INT4_BLOCKS) int4_block_to_float(block, destination + i, count);
        else int8_block_to_float(block, destination + i, count);
    }
}

/// One row of `n` elements of any weight dtype as floats.
INLINE void row_to_float(const void *source, vitrail_dtype dtype, float *destination, ptrdiff_t n) {
    const uint16_t *halves = source;
    switch (dtype) {
    case VITRAIL_DTYPE_FLOAT16:
        for (ptrdiff_t i = 0; i < n; i++) destination[i] = half_value(halves[i]);
        break;
    case VITRAIL_DTYPE_BFLOAT16:
        for (ptrdiff_t i = 0; i < n; i++) destination[i] = brain_value(halves[i]);
        break;
    case VITRAIL_DTYPE_FLOAT32: memcpy(destination, source, sizeof(float) * (size_t)n); break;
    default: blocks_to_float(source, dtype, destination, n);
    }
}

static void half_to_float_task(void *context, int part, int parts) {
    const convert_args *a = context;
    ptrdiff_t begin, end;
    vitrail_share(a->count, 32, part, parts, &begin, &end);
    row_to_float((const uint16_t *)a->source + begin, VITRAIL_DTYPE_FLOAT16, (float *)a->destination + begin, end - begin);
}

static void brain_to_float_task(void *context, int part, int parts) {
    const convert_args *a = context;
    ptrdiff_t begin, end;
    vitrail_share(a->count, 32, part, parts, &begin, &end);
    row_to_float((const uint16_t *)a->source + begin, VITRAIL_DTYPE_BFLOAT16, (float *)a->destination + begin, end - begin);
}

static void blocks_to_float_task(void *context, int part, int parts) {
    const convert_args *a = context;
    const vitrail_weight_format format = format_of(a->type);
    ptrdiff_t begin, end;
    vitrail_share(a->count, terms_of(format), part, parts, &begin, &end);
    const uint8_t *source = (const uint8_t *)a->source + file_bytes_of(format, begin);
    blocks_to_float(source, a->type, (float *)a->destination + begin, end - begin);
}

static void float_to_half_task(void *context, int part, int parts) {
    const convert_args *a = context;
    const float *source = a->source;
    uint16_t *restrict destination = a->destination;
    ptrdiff_t begin, end;
    vitrail_share(a->count, 32, part, parts, &begin, &end);
    for (ptrdiff_t i = begin; i < end; i++) destination[i] = half_bits(source[i]);
}

static void float_to_brain_task(void *context, int part, int parts) {
    const convert_args *a = context;
    const float *source = a->source;
    uint16_t *restrict destination = a->destination;
    ptrdiff_t begin, end;
    vitrail_share(a->count, 32, part, parts, &begin, &end);
    for (ptrdiff_t i = begin; i < end; i++) destination[i] = brain_bits(source[i]);
}

/// A block of `terms` numbers, or of `count` if these are fewer, and zeros.
INLINE void load_block(float *values, int terms, const float *source, ptrdiff_t count) {
    if (count >= terms) {
        memcpy(values, source, (size_t)terms * sizeof(float));
        return;
    }
    memset(values, 0, (size_t)terms * sizeof(float));
    memcpy(values, source, sizeof(float) * (size_t)count);
}

/// The largest magnitude of a block, found through its bits: integers can be compared in any order.
INLINE float largest_magnitude(const float *values, int terms) {
    uint32_t largest = 0;
    for (int j = 0; j < terms; j++) {
        uint32_t magnitude;
        memcpy(&magnitude, values + j, sizeof magnitude);
        magnitude &= 0x7FFFFFFF;
        largest = magnitude > largest ? magnitude : largest;
    }
    float value;
    memcpy(&value, &largest, sizeof value);
    return value;
}

/// Scale max |x| / 127, codes x / scale rounded half away from zero.
static void float_to_int8_task(void *context, int part, int parts) {
    const convert_args *a = context;
    const vitrail_weight_format format = format_of(a->type);
    const int terms = terms_of(format);
    ptrdiff_t begin, end;
    vitrail_share(a->count, terms, part, parts, &begin, &end);
    for (ptrdiff_t i = begin; i < end; i += terms) {
        float values[VITRAIL_INT8_MOST_TERMS];
        load_block(values, terms, (const float *)a->source + i, end - i);
        float scale = largest_magnitude(values, terms) / 127.0f, inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
        uint8_t *block = (uint8_t *)a->destination + file_bytes_of(format, i);
        uint16_t bits = half_bits(scale);
        memcpy(block, &bits, 2);
        for (int j = 0; j < terms; j++) {
            // round half away from zero through the integer part, exact for magnitudes below 2^23
            float x = values[j] * inverse, magnitude = __builtin_fabsf(x);
            int code = (int)magnitude;
            code += magnitude - (float)code >= 0.5f;
            code = code > 127 ? 127 : code;
            block[2 + j] = (uint8_t)(int8_t)(x < 0.0f ? -code : code);
        }
    }
}

/// Scale m / −8 with m the element of largest magnitude, codes min(15, ⌊x / scale + 8.5⌋), low nibbles first.
static void float_to_int4_task(void *context, int part, int parts) {
    enum { TERMS = VITRAIL_INT4_TERMS };
    const convert_args *a = context;
    ptrdiff_t begin, end;
    vitrail_share(a->count, TERMS, part, parts, &begin, &end);
    for (ptrdiff_t i = begin; i < end; i += TERMS) {
        float values[TERMS];
        load_block(values, TERMS, (const float *)a->source + i, end - i);
        const float largest = largest_magnitude(values, TERMS);
        int first = TERMS - 1;
        for (int j = TERMS - 1; j >= 0; j--) first = __builtin_fabsf(values[j]) == largest ? j : first;
        float scale = values[first] / -8.0f, inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
        uint8_t *block = (uint8_t *)a->destination + file_bytes_of(VITRAIL_WEIGHTS_INT4, i);
        uint16_t bits = half_bits(scale);
        memcpy(block, &bits, 2);
        int codes[TERMS];
        for (int j = 0; j < TERMS; j++) {
            float product = values[j] * inverse;
            int code = (int)(product + 8.5f);
            codes[j] = code > 15 ? 15 : code;
        }
        for (int j = 0; j < 16; j++) block[2 + j] = (uint8_t)(codes[j] | codes[j + 16] << 4);
    }
}
