// Flat C interface over libpng and libjpeg-turbo, and the integer resampling loops.
//
// Nothing here calls back into Swift, no longjmp leaves a function, and there is no mutable state outside the objects
// that the caller holds: two threads may work at once on two objects.
#pragma once

#include "decoder.h"
#include "encoder.h"
#include "normalization.h"
#include "orientation.h"
#include "resampler.h"
