// The float32 microkernels of every instruction set. The plain one is the specification of the others: each sum
// runs over p in order, so kernels differ only in whether a product is rounded before it is added.

#include "product_internal.h"
#include "product_transpose.h"

static inline void transpose_square_4(float *out, ptrdiff_t out_stride, const float *square) {
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) out[j * out_stride + i] = square[4 * i + j];
    }
}

#define kernels_of_plain float32_kernels_plain
#define kernels_of_avx2 float32_kernels_avx2
#define kernels_of_avx512 float32_kernels_avx512

#define NAME(x) x##_plain
#define TARGET
#define LANES 4
#define ROWS 4
#define VECTORS 2
#define TRANSPOSE transpose_square_4
#include "product_float32_kernel.h"

#if PRODUCT_X86

#define NAME(x) x##_avx2
#define TARGET TARGET_AVX2
#define LANES 8
#define ROWS 6
#define VECTORS 2
#define TRANSPOSE transpose_square_8
#include "product_float32_kernel.h"

#define NAME(x) x##_avx512
#define TARGET TARGET_AVX512
#define LANES 16
#define ROWS 14
#define VECTORS 2
#define TRANSPOSE transpose_square_16
#include "product_float32_kernel.h"

#endif
