// Dot products of rows of float32 and bfloat16 weights, for every instruction set.

#include "matvec_internal.h"

enum { FAR = -1 };

#define NAME(x) x##_plain
#define TARGET
#define LANES 4
#define COLUMNS 2
#define IN_TURN(half) 0
#include "matvec_dots_kernel.h"

#if PRODUCT_X86

#define NAME(x) x##_avx2
#define TARGET TARGET_AVX2
#define LANES 8
#define COLUMNS 2
#define IN_TURN(half) 0
#include "matvec_dots_kernel.h"

#define NAME(x) x##_avx2_far
#define TARGET TARGET_AVX2
#define LANES 8
#define COLUMNS 2
#define IN_TURN(half) FAR
#include "matvec_dots_kernel.h"

#define NAME(x) x##_avx512
#define TARGET TARGET_AVX512
#define LANES 16
#define COLUMNS 4
#define IN_TURN(half) 0
#include "matvec_dots_kernel.h"

#define NAME(x) x##_avx512_in_turn
#define TARGET TARGET_AVX512
#define LANES 16
#define COLUMNS 4
#define IN_TURN(half) (half ? 4096 : 0)
#include "matvec_dots_kernel.h"

#define NAME(x) x##_avx512_far
#define TARGET TARGET_AVX512
#define LANES 16
#define COLUMNS 4
#define IN_TURN(half) FAR
#include "matvec_dots_kernel.h"

#endif
