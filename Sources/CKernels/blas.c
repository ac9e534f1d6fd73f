// Products through OpenBLAS.
#include "vitrail_kernels.h"

#include <cblas.h>

void vitrail_blas_product(
    const float *a, ptrdiff_t lda, bool transpose_a, const float *b, ptrdiff_t ldb, bool transpose_b, float *c,
    ptrdiff_t ldc, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, float alpha, const float *bias, bool accumulate) {
    if (bias || k == 0) {
        for (ptrdiff_t i = 0; i < m; i++)
            for (ptrdiff_t j = 0; j < n; j++) c[i * ldc + j] = (accumulate ? c[i * ldc + j] : 0.0f) + (bias ? bias[j] : 0.0f);
        accumulate = true;
    }
    if (m == 0 || n == 0 || k == 0) return;
    cblas_sgemm(
        CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, (int)m, (int)n,
        (int)k, alpha, a, (int)lda, b, (int)ldb, accumulate ? 1.0f : 0.0f, c, (int)ldc);
}
