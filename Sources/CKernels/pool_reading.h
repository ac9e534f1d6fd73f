// In what order runs of a pool read memory, so that threads that wait can ask for what comes next.
// Included by pool.c alone.

#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    READINGS = 1024,          // blocks of memory whose followers are remembered, a power of two
    AHEAD_BYTES = 256 << 10,  // that a thread asks for ahead: a part of its second-level cache
    LINE_BYTES = 64,
};

/// Memory that a run reads.
typedef struct {
    const char *memory;
    size_t bytes;
} reading;

/// Where a run read, and what the next such run read the last time.
typedef struct {
    const char *memory;
    reading next;
} reading_entry;

typedef struct {
    reading_entry *entries;   // [READINGS], by address
    reading_entry *last;
} reading_order;

/// Notes that `memory` is read now, after what was read last; what will be read next, as far as is known.
static reading follow(reading_order *order, const char *memory, size_t bytes) {
    if (order->last) order->last->next = (reading){memory, bytes};
    reading_entry *entry = &order->entries[((uintptr_t)memory >> 6) * 0x9e3779b97f4a7c15ull >> 32 & (READINGS - 1)];
    if (entry->memory != memory) *entry = (reading_entry){.memory = memory};
    order->last = entry;
    return entry->next;
}

/// Asks for the beginning of a thread's share until the number of the current run is another. Asking does no harm where the memory is gone.
static void look_ahead(reading next, int thread, int threads, _Atomic uint32_t *current, uint32_t run) {
    const size_t share = next.bytes / (size_t)threads, start = share * (size_t)thread;
    const size_t end = start + (share < AHEAD_BYTES ? share : AHEAD_BYTES);
    for (size_t byte = start; byte < end; byte += 4 * LINE_BYTES) {
        if (atomic_load_explicit(current, memory_order_relaxed) != run) return;
        for (int line = 0; line < 4; line++) __builtin_prefetch(next.memory + byte + line * LINE_BYTES, 0, 2);
    }
}
