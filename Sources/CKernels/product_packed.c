// Packed weights that several threads multiply by, each in products of its own: whoever needs them first packs, those that come meanwhile
// take parts of that, and whoever comes later finds them done.

#include "product_packed.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { MOST = 512, ALIGNMENT = 4096 };

/// One matrix as the products of one kernel and one transposition read it.
struct packed_operand {
    const void *kernels, *data;
    int64_t stride, columns, terms;
    bool transposed;
    int parts;
    _Atomic int next, finished;  // parts taken, and packed
    void *memory;
};

struct vitrail_packed_weights {
    atomic_flag in_use;          // between begin and end
    atomic_flag busy;            // while an operand is looked up
    vitrail_span *weights;
    ptrdiff_t weight_count;
    char *memory;                // what has not been written takes none
    size_t bytes, used;
    int count;
    packed_operand operands[MOST];
};

static _Thread_local vitrail_packed_weights *in_use_here = NULL;

static int by_address(const void *first, const void *second) {
    const float *const a = ((const vitrail_span *)first)->data, *const b = ((const vitrail_span *)second)->data;
    return a < b ? -1 : a > b;
}

vitrail_packed_weights *vitrail_packed_weights_create(void) {
    vitrail_packed_weights *const packed = calloc(1, sizeof *packed);
    if (!packed) return NULL;
    atomic_flag_clear(&packed->in_use);
    atomic_flag_clear(&packed->busy);
    return packed;
}

void vitrail_packed_weights_release(vitrail_packed_weights *packed) {
    if (atomic_flag_test_and_set(&packed->in_use)) return;
    if (packed->memory) vitrail_memory_give(packed->memory, packed->bytes);
    packed->memory = NULL;
    packed->bytes = 0;
    atomic_flag_clear(&packed->in_use);
}

void vitrail_packed_weights_destroy(vitrail_packed_weights *packed) {
    if (!packed) return;
    vitrail_packed_weights_release(packed);
    free(packed);
}

bool vitrail_packed_weights_begin(vitrail_packed_weights *packed, const vitrail_span *weights, ptrdiff_t count) {
    if (count < 1 || atomic_flag_test_and_set(&packed->in_use)) return false;
    size_t bytes = 0;
    for (ptrdiff_t i = 0; i < count; i++) bytes += (size_t)weights[i].count * sizeof(float);
    // Both ways to read a matrix, with room for what fills up the last panels.
    bytes = 4 * bytes + MOST * (size_t)ALIGNMENT;
    if (bytes > packed->bytes) {
        if (packed->memory) vitrail_memory_give(packed->memory, packed->bytes);
        packed->memory = vitrail_memory_take(bytes);
        packed->bytes = packed->memory ? bytes : 0;
    }
    packed->weights = malloc((size_t)count * sizeof *weights);
    if (!packed->memory || !packed->weights) {
        vitrail_packed_weights_end(packed);
        return false;
    }
    memcpy(packed->weights, weights, (size_t)count * sizeof *weights);
    qsort(packed->weights, (size_t)count, sizeof *weights, by_address);
    packed->weight_count = count;
    packed->used = 0;
    packed->count = 0;
    return true;
}

void vitrail_packed_weights_end(vitrail_packed_weights *packed) {
    free(packed->weights);
    packed->weights = NULL;
    packed->weight_count = 0;
    atomic_flag_clear(&packed->in_use);
}

void vitrail_packed_weights_use(vitrail_packed_weights *packed) { in_use_here = packed; }

/// Whether an address lies in one of the weights.
static bool holds(const vitrail_packed_weights *packed, const float *data) {
    ptrdiff_t low = 0, high = packed->weight_count;
    while (low < high) {
        const ptrdiff_t middle = (low + high) / 2;
        if (packed->weights[middle].data <= data) low = middle + 1;
        else high = middle;
    }
    return low > 0 && data < packed->weights[low - 1].data + packed->weights[low - 1].count;
}

packed_operand *packed_operand_of(const vitrail_product_args *args, const void *kernels, size_t bytes, int parts) {
    vitrail_packed_weights *const packed = in_use_here;
    if (!packed || args->b_type != VITRAIL_FLOAT32 || !holds(packed, args->b)) return NULL;
    for (int turn = 1; atomic_flag_test_and_set_explicit(&packed->busy, memory_order_acquire); turn++) take_turn(turn);
    packed_operand *found = NULL;
    for (int i = 0; i < packed->count && !found; i++) {
        packed_operand *const known = &packed->operands[i];
        if (known->data == args->b && known->kernels == kernels && known->transposed == args->transpose_b
            && known->stride == args->ldb && known->columns == args->n && known->terms == args->k) {
            found = known;
        }
    }
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!found && packed->count < MOST && bytes <= packed->bytes - packed->used) {
        found = &packed->operands[packed->count++];
        found->kernels = kernels;
        found->data = args->b;
        found->stride = args->ldb;
        found->columns = args->n;
        found->terms = args->k;
        found->transposed = args->transpose_b;
        found->parts = parts;
        found->memory = packed->memory + packed->used;
        atomic_init(&found->next, 0);
        atomic_init(&found->finished, 0);
        packed->used += bytes;
    }
    atomic_flag_clear_explicit(&packed->busy, memory_order_release);
    return found;
}

void *packed_operand_memory(const packed_operand *operand) { return operand->memory; }

void packed_operand_finish(packed_operand *operand, vitrail_task pack, void *context) {
    if (atomic_load_explicit(&operand->finished, memory_order_acquire) == operand->parts) return;
    for (int part; (part = atomic_fetch_add_explicit(&operand->next, 1, memory_order_relaxed)) < operand->parts;) {
        pack(context, part, operand->parts);
        atomic_fetch_add_explicit(&operand->finished, 1, memory_order_release);
    }
    for (int turn = 1; atomic_load_explicit(&operand->finished, memory_order_acquire) < operand->parts; turn++) {
        take_turn(turn);
    }
}
