// Tiles of quantised products where rounding to bfloat16 takes several instructions.

#include "quantized_product.h"

#if PRODUCT_X86

#include <immintrin.h>

#pragma clang diagnostic ignored "-Wpsabi"

#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,avx512vnni"))), apply_to = function)
#include "quantized_tiles.h"
#pragma clang attribute pop

const quantized_tiles quantized_tiles_vnni = QUANTIZED_TILES;

#endif
