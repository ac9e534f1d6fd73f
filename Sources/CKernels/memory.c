// Blocks of memory from the operating system, on huge pages where that pays.
#define _GNU_SOURCE
#include "vitrail_kernels.h"

#include <stdlib.h>

#if defined(__linux__)
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

void *vitrail_memory_take(size_t bytes) {
    if (bytes < HUGE_PAGE) return aligned_alloc(64, (bytes + 63) / 64 * 64);
    // Mapped by hand: malloc keeps freed blocks of this size, and does not align them to huge pages.
    char *start = mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) return NULL;
    size_t before = (HUGE_PAGE - (uintptr_t)start % HUGE_PAGE) % HUGE_PAGE, after = HUGE_PAGE - before;
    if (before > 0) munmap(start, before);
    size_t length = (bytes + 4095) / 4096 * 4096;
    if (after > length - bytes) munmap(start + before + length, bytes + after - length);
    madvise(start + before, length, MADV_HUGEPAGE);
    return start + before;
}

void vitrail_memory_give(void *memory, size_t bytes) {
    if (bytes < HUGE_PAGE) {
        free(memory);
    } else {
        munmap(memory, (bytes + 4095) / 4096 * 4096);
    }
}

size_t vitrail_memory_discard(void *memory, size_t bytes) {
    const uintptr_t start = ((uintptr_t)memory + 4095) / 4096 * 4096, end = ((uintptr_t)memory + bytes) / 4096 * 4096;
    return end > start && madvise((void *)start, end - start, MADV_DONTNEED) == 0 ? end - start : 0;
}

#else

void *vitrail_memory_take(size_t bytes) { return aligned_alloc(64, (bytes + 63) / 64 * 64); }

void vitrail_memory_give(void *memory, size_t bytes) {
    (void)bytes;
    free(memory);
}

size_t vitrail_memory_discard(void *memory, size_t bytes) {
    (void)memory;
    (void)bytes;
    return 0;
}

#endif
