// Huffman codes of JPEG files, told from 12 bits at once where libjpeg takes one code after the other; not part of the module.
#ifndef JPEG_CODES_H
#define JPEG_CODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#define INLINE __attribute__((always_inline)) static inline

/// Bits that a table looks at, and coefficients of a block.
enum { LOOKUP = 12, BLOCK = 64 };

/// What the next 12 bits begin with. Codes longer than that have no bits.
typedef struct {
    uint8_t bits;     // to the end of the last code and of what belongs to it
    uint8_t before;   // coefficients that the codes before the last one pass
    uint8_t after;    // and with the last; BLOCK and more ends the block
    uint8_t symbol;   // of the first code
} code_entry;

typedef struct {
    code_entry single[1 << LOOKUP];  // one code
    code_entry many[1 << LOOKUP];    // as many codes as can be told
    int32_t last_code[17];           // largest code of each length, -1 without any
    int32_t offset[17];              // of a length's first symbol, less its first code
    uint8_t symbols[256];
} code_table;

typedef struct {
    const uint8_t *bytes;
    size_t position;  // of the next byte to load
    uint64_t window;  // next bits, the first one on top
    int bits;         // of the window that are loaded
} bit_reader;

// MARK: Codes

/// The table of a DHT segment; `for_ac` tells what symbols mean. False when codes do not fit their lengths.
static inline bool make_table(const JHUFF_TBL *source, bool for_ac, code_table *table) {
    memset(table, 0, sizeof *table);
    int32_t code = 0, symbol = 0;
    for (int length = 1; length <= 16; length++, code <<= 1) {
        const int32_t count = source->bits[length];
        table->offset[length] = symbol - code;
        table->last_code[length] = count > 0 ? code + count - 1 : -1;
        if (symbol + count > 256 || code + count > 1 << length) return false;
        for (int32_t i = 0; i < count; i++, code++, symbol++) {
            const uint8_t value = source->huffval[symbol];
            table->symbols[symbol] = value;
            if (!for_ac && value > 11) return false;
            if (length > LOOKUP) continue;
            const int run = value >> 4, size = for_ac ? value & 15 : value;
            const int passed = !for_ac ? 0 : size > 0 ? run + 1 : run == 15 ? 16 : BLOCK;
            const code_entry entry = {
                .bits = (uint8_t)(length + size), .after = (uint8_t)passed, .symbol = value};
            for (int32_t low = 0; low < 1 << (LOOKUP - length); low++) {
                table->single[(code << (LOOKUP - length)) + low] = entry;
            }
        }
    }
    for (int32_t start = 0; start < 1 << LOOKUP; start++) {
        code_entry all = table->single[start];
        while (all.bits > 0 && all.bits < LOOKUP && all.after < BLOCK) {
            // The bits behind the last that can be seen are unknown: a code counts when it does not need them.
            const int seen = LOOKUP - all.bits;
            const code_entry next = table->single[(start << all.bits) & ((1 << LOOKUP) - 1)];
            const int size = next.symbol & 15;
            if (next.bits == 0 || next.bits - size > seen) break;
            all.before = all.after;
            all.after = (uint8_t)(all.after + next.after);
            all.bits = (uint8_t)(all.bits + next.bits);
        }
        table->many[start] = all;
    }
    return true;
}

// MARK: Bits

/// At least 56 bits in the window.
INLINE void refill(bit_reader *reader) {
    uint64_t next;
    memcpy(&next, reader->bytes + reader->position, sizeof next);
    reader->window |= __builtin_bswap64(next) >> reader->bits;
    reader->position += (size_t)(63 - reader->bits) >> 3;
    reader->bits |= 56;
}

INLINE void drop(bit_reader *reader, int count) {
    reader->window <<= count;
    reader->bits -= count;
}

/// Bits of the segment that have been taken.
INLINE size_t taken(const bit_reader *reader) { return reader->position * 8 - (size_t)reader->bits; }

/// A code beyond the tables; 0 bits where there is none.
static inline code_entry long_code(const code_table *table, uint64_t window, bool for_ac) {
    for (int length = LOOKUP + 1; length <= 16; length++) {
        const int32_t code = (int32_t)(window >> (64 - length));
        if (table->last_code[length] < 0 || code > table->last_code[length]) continue;
        const int32_t index = table->offset[length] + code;
        if (index < 0 || index > 255) break;
        const uint8_t value = table->symbols[index];
        const int run = value >> 4, size = for_ac ? value & 15 : value;
        return (code_entry){
            .bits = (uint8_t)(length + size),
            .after = (uint8_t)(!for_ac ? 0 : size > 0 ? run + 1 : run == 15 ? 16 : BLOCK),
            .symbol = value,
        };
    }
    return (code_entry){0};
}

/// The number of `size` bits that ends `bits` bits into the window.
INLINE int extend(uint64_t window, int bits, int size) {
    if (size == 0) return 0;
    const int value = (int)((window << (bits - size)) >> (64 - size));
    return value < 1 << (size - 1) ? value - (1 << size) + 1 : value;
}

#endif
