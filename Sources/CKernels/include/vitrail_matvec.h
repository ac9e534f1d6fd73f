#ifndef VITRAIL_MATVEC_H
#define VITRAIL_MATVEC_H

#include "vitrail_blocks.h"
#include "vitrail_pool.h"
#include "vitrail_products.h"

#ifdef __cplusplus
extern "C" {
#endif

/// How the weights of a layer are stored for decoding, where reading them is all the cost.
///
/// Quantised weights [n, k] are cut into blocks of `terms` neighbouring terms of a row (32 of int4, 64 to 256 of int8), each with one float16
/// scale: value = scale * (q - offset). Sixteen rows form a group, so that one vector holds four terms of each:
///
///     group g:  scales  float16 [K / terms][16 rows]
///               int8:   uint8   [K / terms][terms / 4 quads][16 rows][4 terms]  q in 1...255, offset 128
///               int4:   uint8   [K / 32][4 quads][16 rows][4 terms]  q in 0...15, offset 8; the low half of
///                       quad j's bytes holds terms 4j ..., the high half terms 16 + 4j ...
///
/// with K = k rounded up to whole blocks, and n rounded up to 16; what is added is zeros. Groups follow each other. Scales are finite, and where
/// one is zero so are q - offset.
typedef enum vitrail_weight_format {
    VITRAIL_WEIGHTS_FLOAT32 = 0,   ///< row-major [n, k]
    VITRAIL_WEIGHTS_BFLOAT16 = 1,  ///< row-major [n, k]; x is rounded to bfloat16 too
    VITRAIL_WEIGHTS_INT4 = 2,      ///< 4.5 bits a weight; x is rounded to 8 bits a block, by a power of two, below 2^39
    VITRAIL_WEIGHTS_INT8_64 = 3,   ///< 8 bits a weight, and 16 for a scale of 64 of them; x as for int4
    VITRAIL_WEIGHTS_INT8_128 = 4,
    VITRAIL_WEIGHTS_INT8_192 = 5,
    VITRAIL_WEIGHTS_INT8_256 = 6,
} vitrail_weight_format;

/// y[m, n] = (accumulate ? y : 0) + x[m, k] * weights[n, k]' + bias[n].
typedef struct vitrail_matvec_args {
    int64_t m, n, k;
    const float *x;                  ///< [m, k], rows `ldx` elements apart
    const void *weights;
    const float *bias;               ///< [n], or NULL
    float *y;                        ///< [m, n], rows `ldy` elements apart
    int64_t ldx, ldw, ldy;           ///< `ldw`: distance of rows of float32 and bfloat16 weights, in elements
    vitrail_weight_format format;
    bool accumulate;
} vitrail_matvec_args;

/// Multiplies few rows by many weights and reads the weights once for every 16 rows of x (8 rows when quantised; for all of them where
/// `vitrail_matvec_is_wide`). More rows than 64 of float32 or bfloat16 weights become a `vitrail_product`, which takes any number of
/// rows of quantised ones where `vitrail_products_in_integers`.
/// Bit for bit a function of the arguments and the instruction set. Returns false when scratch memory is short.
bool vitrail_matvec(vitrail_pool *pool, const vitrail_matvec_args *args);

/// Whether up to 64 rows go past bfloat16 weights that are read once, as they lie. From three rows on, a row of y then has the same
/// bits whatever its neighbours are.
bool vitrail_matvec_is_wide(void);

/// Bytes of quantised weights [n, k]; 0 for formats that are not quantised.
size_t vitrail_quantized_bytes(vitrail_weight_format format, int64_t n, int64_t k);

/// Quantises weights [n, k] (float32 or bfloat16, rows `ldw` elements apart) to `out`, aligned to 64.
/// Each block's scale is the one of several near the full range with the least squared error.
void vitrail_quantize(vitrail_pool *pool, vitrail_weight_format format, const void *weights, vitrail_element type,
                      int64_t ldw, int64_t n, int64_t k, void *out);

/// Reads one block of quantised weights back: its terms of a row, as q - offset, and their scale.
float vitrail_quantized_block(vitrail_weight_format format, const void *weights, int64_t k, int64_t row,
                              int64_t block, int8_t *values);

/// Seconds in which the pool's threads read `bytes` bytes, aligned to 64, once; 0 when memory is short.
double vitrail_read_seconds(vitrail_pool *pool, const void *memory, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
