// Tiles of quantised products where one instruction rounds to bfloat16.

#include "quantized_product.h"

#if PRODUCT_X86

#include <immintrin.h>

#pragma clang diagnostic ignored "-Wpsabi"

#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,avx512vnni,avx512bf16"))), apply_to = function)
#define VITRAIL_ROUNDS 1
#include "quantized_tiles.h"
#pragma clang attribute pop

const quantized_tiles quantized_tiles_bfloat16 = QUANTIZED_TILES;

#endif
