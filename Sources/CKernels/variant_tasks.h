// All loops, in the order of their needs.
#include "vector.h"

#include "activations.h"
#include "elementwise_tasks.h"

#include "convert_tasks.h"
#include "losses_tasks.h"
#include "norms_tasks.h"
#include "optimizers_tasks.h"
#include "rows_tasks.h"
#include "low_rank_tasks.h"
#include "tuning_tasks.h"

#include "lanes.h"

#include "attention_tiles.h"

#include "attention_softmax.h"

#include "attention_tasks.h"

#include "attention_decode_tasks.h"
