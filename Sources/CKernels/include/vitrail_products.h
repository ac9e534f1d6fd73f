#ifndef VITRAIL_PRODUCTS_H
#define VITRAIL_PRODUCTS_H

#include "vitrail_kernels.h"
#include "vitrail_pool.h"

#ifdef __cplusplus
extern "C" {
#endif

/// How operands are stored.
typedef enum vitrail_element {
    VITRAIL_FLOAT32 = 0,
    VITRAIL_BFLOAT16 = 1,  ///< the upper half of a float32, stored as uint16_t
    /// Quantised weights as vitrail_matvec.h draws them: B alone, with `transpose_b`, where `vitrail_products_in_integers`.
    VITRAIL_INT4_GROUPS = 2,
    VITRAIL_INT8_GROUPS_64 = 3,
    VITRAIL_INT8_GROUPS_128 = 4,
    VITRAIL_INT8_GROUPS_192 = 5,
    VITRAIL_INT8_GROUPS_256 = 6,
    /// B alone, where `vitrail_products_take_codes`: `b` is an array of `vitrail_coded_rows`.
    VITRAIL_CODES = 7,
} vitrail_element;

/// Rows of a matrix whose weights are 4-bit codes, whole blocks in each row; the next ones follow in the array until there are enough.
typedef struct vitrail_coded_rows {
    vitrail_codes codes;
    int64_t rows;
} vitrail_coded_rows;

/// Which code multiplies.
typedef enum vitrail_products_engine {
    VITRAIL_PRODUCTS_AUTOMATIC = 0,  ///< native with AVX2 or more, or without OpenBLAS; OpenBLAS otherwise
    VITRAIL_PRODUCTS_NATIVE = 1,     ///< this library's kernels
    VITRAIL_PRODUCTS_OPENBLAS = 2,   ///< OpenBLAS on one thread a tile, tiles spread over the pool; only where `vitrail_openblas_is_here`
} vitrail_products_engine;

/// Whether the system has OpenBLAS; loads it.
bool vitrail_openblas_is_here(void);

/// C[m, n] = (accumulate ? C : 0) + alpha * op(A)[m, k] * op(B)[k, n] + bias[n] + addend[m, n], everything row-major.
typedef struct vitrail_product_args {
    int64_t m, n, k;
    const void *a;            ///< [m, k] with rows `lda` elements apart, or [k, m] with `transpose_a`
    const void *b;            ///< [k, n] with rows `ldb` elements apart, or [n, k] with `transpose_b`
    float *c;                 ///< [m, n] with rows `ldc` elements apart; must not overlap A, B, or bias
    int64_t lda, ldb, ldc;
    const float *bias;        ///< [n], or NULL
    float alpha;
    bool transpose_a, transpose_b;
    bool accumulate;          ///< adds to what C holds; otherwise C is only written (NaN there is harmless)
    vitrail_element a_type, b_type;
    /// VITRAIL_FLOAT32 multiplies in float32. VITRAIL_BFLOAT16 rounds float32 operands to bfloat16
    /// (nearest even) and adds the products in float32. With quantised weights either rounds A to 8 bits a block of terms and
    /// multiplies in integers.
    vitrail_element precision;
    vitrail_products_engine engine;
    const float *addend;      ///< [m, n] with rows `ld_addend` elements apart, or NULL; not with `accumulate`
    int64_t ld_addend;
    /// Only where `vitrail_product_finishes`: C = activation(...), and C in bfloat16 (`c` is then uint16_t).
    bool activates;
    vitrail_activation_kind activation;
    vitrail_element c_type;
} vitrail_product_args;

/// Whether a product of these arguments applies an activation, and rounds what it stores, while its sums are in registers.
bool vitrail_product_finishes(const vitrail_product_args *args);

/// Computes one product on the pool's threads (NULL: one thread). The result is a function of the arguments,
/// the number of threads, the engine, and the instruction set, bit for bit.
/// Returns false when scratch memory is short; C is then undefined.
bool vitrail_product(vitrail_pool *pool, const vitrail_product_args *args);

enum { VITRAIL_PRODUCTS_TOGETHER = 8 };

/// Computes products of which none reads or writes what another writes, with the bits that `vitrail_product` gives each. Up to
/// `VITRAIL_PRODUCTS_TOGETHER` of them are one run of the pool where all are in bfloat16, on several threads and without tiles.
bool vitrail_products(vitrail_pool *pool, const vitrail_product_args *args, int count);

/// What products have packed of weights, for several threads that multiply by the same ones in products of their own.
typedef struct vitrail_packed_weights vitrail_packed_weights;

/// Keeps nothing yet. NULL when memory is short.
vitrail_packed_weights *vitrail_packed_weights_create(void);
void vitrail_packed_weights_destroy(vitrail_packed_weights *packed);

/// Gives its memory back, which otherwise stays for the next time; without effect between begin and end.
void vitrail_packed_weights_release(vitrail_packed_weights *packed);

/// From here on what products pack of these weights is kept: nobody may change them until the end. False where somebody else has begun, or
/// memory is short.
bool vitrail_packed_weights_begin(vitrail_packed_weights *packed, const vitrail_span *weights, ptrdiff_t count);
void vitrail_packed_weights_end(vitrail_packed_weights *packed);

/// Products that the calling thread begins keep what they pack there, and read what others have packed; not any more with NULL. Results have
/// the same bits.
void vitrail_packed_weights_use(vitrail_packed_weights *packed);

/// Whether products in bfloat16 precision read bfloat16 faster than float32: this processor has instructions for it.
bool vitrail_products_in_bfloat16(void);

/// Whether products in bfloat16 precision read codes as they are. They multiply what `vitrail_widen_codes` would make of them.
bool vitrail_products_take_codes(void);

/// Whether products with quantised weights are taken in integers, whatever the number of rows: elsewhere few rows go through
/// `vitrail_matvec`, and weights are widened for more. A row of C then has the bits that `vitrail_matvec` gives it.
bool vitrail_products_in_integers(void);

/// Billions of operations a second (2 m n k each) of the best of many products within `duration` seconds. Of the
/// arguments m, n, k, the transpositions, types, precision and engine count; operands are made up.
/// 0 when memory is short.
double vitrail_product_gflops(vitrail_pool *pool, const vitrail_product_args *args, double duration);

/// What is multiplied in registers: float32, pairs of bfloat16, or groups of four bytes.
typedef enum vitrail_register_number {
    VITRAIL_REGISTERS_FLOAT32 = 0,
    VITRAIL_REGISTERS_BFLOAT16 = 1,
    VITRAIL_REGISTERS_BYTES = 2,
} vitrail_register_number;

/// Operations a second (a multiplication and an addition are two) of all threads when nothing leaves the registers: the best of several runs
/// of 10 ms and more within `duration` seconds. 0 where the instruction set in use has no such multiplication, or memory is short.
double vitrail_register_rate(vitrail_pool *pool, vitrail_register_number number, double duration);

#ifdef __cplusplus
}
#endif

#endif
