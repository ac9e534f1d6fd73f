// AMX's tile instructions; not part of the module. Built with VITRAIL_EMULATED_TILES, the same operations in AVX-512, so that
// the kernels of tiles can be tested, and changed, on a processor that has none (Scripts/test-tiles.sh).
#ifndef TILES_H
#define TILES_H

#include <immintrin.h>

#if VITRAIL_EMULATED_TILES

#include <stddef.h>

void emulated_tile_configure(const void *configuration);
void emulated_tile_release(void);
void emulated_tile_zero(int tile);
void emulated_tile_load(int tile, const void *base, ptrdiff_t stride);
void emulated_tile_store(int tile, void *base, ptrdiff_t stride);
void emulated_tile_multiply_bfloat16(int sums, int a, int b);
void emulated_tile_multiply_bytes(int sums, int a, int b);

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbf16ps
#undef _tile_dpbssd
#define _tile_loadconfig emulated_tile_configure
#define _tile_release emulated_tile_release
#define _tile_zero emulated_tile_zero
#define _tile_loadd emulated_tile_load
#define _tile_stored emulated_tile_store
#define _tile_dpbf16ps emulated_tile_multiply_bfloat16
#define _tile_dpbssd emulated_tile_multiply_bytes

#endif

#endif
