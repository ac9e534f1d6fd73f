#ifndef VITRAIL_MATVEC_H
#define VITRAIL_MATVEC_H

#include "vitrail_pool.h"

#endif
