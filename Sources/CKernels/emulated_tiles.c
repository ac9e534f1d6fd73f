// Tile registers in memory, and what Intel's manual says of the instructions on them (Software Developer's Manual, volume 2,
// TDPBF16PS and TDPBSSD): the same sums in the same order. What a processor answers with a fault ends the program here as well.

#if VITRAIL_EMULATED_TILES

#include "tiles.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TILES = 8, TILE_ROWS = 16, ROW_BYTES = 64, FLUSH_DENORMALS = 0x8040 };

#define AVX512 __attribute__((target("avx512f,avx512bw")))

typedef struct {
    uint8_t bytes[TILE_ROWS][ROW_BYTES];
} __attribute__((aligned(64))) tile_register;

/// What `_tile_loadconfig` reads.
typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_configuration;

static _Thread_local tile_register registers[TILES];
static _Thread_local tile_configuration configured;

static tile_register *register_of(int tile) {
    if (tile < 0 || tile >= TILES || configured.palette != 1 || configured.rows[tile] == 0) {
        fprintf(stderr, "tile %d is used by a thread that has not configured it\n", tile);
        abort();
    }
    return &registers[tile];
}

/// Sizes of a product: [rows, terms in groups of four bytes] by [those, columns].
typedef struct {
    int rows, groups, columns;
} product_sizes;

static product_sizes sizes_of(int sums, int a, int b) {
    const product_sizes sizes = {configured.rows[sums], configured.row_bytes[a] / 4, configured.row_bytes[sums] / 4};
    if (configured.rows[a] != sizes.rows || configured.rows[b] != sizes.groups
        || configured.row_bytes[b] / 4 != sizes.columns) {
        fprintf(stderr, "tiles %d, %d and %d do not fit together\n", sums, a, b);
        abort();
    }
    return sizes;
}

void emulated_tile_configure(const void *configuration) {
    memcpy(&configured, configuration, sizeof configured);
    memset(registers, 0, sizeof registers);
}

void emulated_tile_release(void) { memset(&configured, 0, sizeof configured); }

void emulated_tile_zero(int tile) { memset(register_of(tile), 0, sizeof(tile_register)); }

void emulated_tile_load(int tile, const void *base, ptrdiff_t stride) {
    tile_register *const to = register_of(tile);
    memset(to, 0, sizeof *to);
    for (int i = 0; i < configured.rows[tile]; i++)
        memcpy(to->bytes[i], (const char *)base + i * stride, configured.row_bytes[tile]);
}

void emulated_tile_store(int tile, void *base, ptrdiff_t stride) {
    const tile_register *const from = register_of(tile);
    for (int i = 0; i < configured.rows[tile]; i++)
        memcpy((char *)base + i * stride, from->bytes[i], configured.row_bytes[tile]);
}

static uint32_t group_at(const tile_register *tile, int row, int group) {
    uint32_t four_bytes;
    memcpy(&four_bytes, tile->bytes[row] + 4 * group, sizeof four_bytes);
    return four_bytes;
}

/// Even and odd terms are added up by themselves, both sums together, and these to what was there; denormals are zeros.
AVX512 void emulated_tile_multiply_bfloat16(int sums, int a, int b) {
    tile_register *const to = register_of(sums);
    const tile_register *const left = register_of(a), *const right = register_of(b);
    const product_sizes sizes = sizes_of(sums, a, b);
    const uint32_t state = _mm_getcsr();
    _mm_setcsr(state | FLUSH_DENORMALS);
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000);
    for (int i = 0; i < sizes.rows; i++) {
        __m512 even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
        for (int k = 0; k < sizes.groups; k++) {
            const __m512i pair = _mm512_set1_epi32((int)group_at(left, i, k));
            const __m512i columns = _mm512_load_si512(right->bytes[k]);
            even = _mm512_fmadd_ps(
                _mm512_castsi512_ps(_mm512_slli_epi32(pair, 16)), _mm512_castsi512_ps(_mm512_slli_epi32(columns, 16)), even);
            odd = _mm512_fmadd_ps(
                _mm512_castsi512_ps(_mm512_and_si512(pair, upper)), _mm512_castsi512_ps(_mm512_and_si512(columns, upper)), odd);
        }
        const __m512 before = _mm512_load_ps(to->bytes[i]);
        _mm512_store_ps(to->bytes[i], _mm512_add_ps(before, _mm512_add_ps(even, odd)));
    }
    _mm_setcsr(state);
}

/// Signed bytes by signed bytes, four of each at a time, into sums of 32 bits.
AVX512 void emulated_tile_multiply_bytes(int sums, int a, int b) {
    tile_register *const to = register_of(sums);
    const tile_register *const left = register_of(a), *const right = register_of(b);
    const product_sizes sizes = sizes_of(sums, a, b);
    for (int i = 0; i < sizes.rows; i++) {
        __m512i sum = _mm512_load_si512(to->bytes[i]);
        for (int k = 0; k < sizes.groups; k++) {
            const __m512i four = _mm512_set1_epi32((int)group_at(left, i, k));
            const __m512i columns = _mm512_load_si512(right->bytes[k]);
            for (unsigned byte = 0; byte < 4; byte++) {
                const __m512i x = _mm512_srai_epi32(_mm512_slli_epi32(four, 24 - 8 * byte), 24);
                const __m512i y = _mm512_srai_epi32(_mm512_slli_epi32(columns, 24 - 8 * byte), 24);
                sum = _mm512_add_epi32(sum, _mm512_mullo_epi32(x, y));
            }
        }
        _mm512_store_si512(to->bytes[i], sum);
    }
}

#endif
