// Scratch memory of kernels, kept between them. Included by pool.c alone.

#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

enum {
    SCRATCH_SLOTS = 32,  // several threads may run kernels of their own
    SCRATCH_ALIGNMENT = 64,
    HUGE_PAGE = 2 << 20,
};

typedef struct {
    _Atomic bool busy;
    void *_Atomic memory;  // written by who holds the slot, read by all that return a block
    size_t bytes;
} scratch_slot;

static void *allocate(size_t bytes) {
    void *memory = NULL;
    const size_t alignment = bytes >= 2 * (size_t)HUGE_PAGE ? (size_t)HUGE_PAGE : SCRATCH_ALIGNMENT;
    if (posix_memalign(&memory, alignment, bytes) != 0) return NULL;
#if defined(__linux__)
    if (alignment == HUGE_PAGE) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    return memory;
}

/// A block of one of `slots`, or a fresh one where there are none or all are lent.
static void *borrow_scratch(scratch_slot *slots, size_t bytes) {
    if (bytes == 0) bytes = 1;
    if (bytes > SIZE_MAX - 2 * (size_t)HUGE_PAGE) return NULL;
    bytes = (bytes + 4095) & ~(size_t)4095;
    if (!slots) return allocate(bytes);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < SCRATCH_SLOTS; i++) {
            scratch_slot *slot = &slots[i];
            if (atomic_exchange_explicit(&slot->busy, true, memory_order_acquire)) continue;
            if (slot->bytes >= bytes) return slot->memory;
            if (pass == 1) {
                // No block is large enough: the first free one grows.
                // Nobody may find the old block here while the allocator gives it to somebody else.
                free(atomic_exchange(&slot->memory, NULL));
                void *const memory = allocate(bytes);
                slot->bytes = memory ? bytes : 0;
                slot->memory = memory;
                if (memory) return memory;
            }
            atomic_store_explicit(&slot->busy, false, memory_order_release);
            if (pass == 1) return NULL;
        }
    }
    return allocate(bytes);
}

static void return_scratch(scratch_slot *slots, void *memory) {
    if (!memory) return;
    for (int i = 0; slots && i < SCRATCH_SLOTS; i++) {
        if (slots[i].memory != memory) continue;
        atomic_store_explicit(&slots[i].busy, false, memory_order_release);
        return;
    }
    free(memory);
}

static void free_scratch(scratch_slot *slots) {
    for (int i = 0; i < SCRATCH_SLOTS; i++) free(slots[i].memory);
}
