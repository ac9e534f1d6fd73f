#ifndef CKERNELS_H
#define CKERNELS_H

#include "vitrail_blocks.h"
#include "vitrail_cpu.h"
#include "vitrail_pool.h"
#include "vitrail_products.h"
#include "vitrail_matvec.h"
#include "vitrail_kernels.h"
#include "vitrail_decoder.h"

#endif
