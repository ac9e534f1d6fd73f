#ifndef VITRAIL_KERNELS_H
#define VITRAIL_KERNELS_H

#include "vitrail_pool.h"

#endif
