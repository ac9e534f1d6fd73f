// How a product's C is cut into units of work; not part of the module. The last units are taken in pieces of their rows, so that
// threads end together though cores run unevenly.
#ifndef PRODUCT_UNITS_H
#define PRODUCT_UNITS_H

#include "product_internal.h"

enum { LAST_PIECES = 4 };            // of each of the last units, at most

typedef struct {
    int64_t row_units, column_units;
    int64_t whole_units, pieces;     // units that are taken whole, and in how many pieces the others are
} product_units;

/// A unit's groups of rows and panels of columns, or those of a piece of it.
typedef struct {
    int64_t unit;
    int64_t first_group, last_group, first_panel, last_panel;
} product_block;

static inline int64_t product_units_count(const product_units *units) { return units->row_units * units->column_units; }

/// Cuts the last unit of each thread into `most` pieces at most; with less than two none is cut.
static inline void product_cut_last_units(product_units *units, int threads, int64_t most) {
    const int64_t count = product_units_count(units);
    units->pieces = most < 1 ? 1 : least(most, LAST_PIECES);
    units->whole_units = units->pieces == 1 ? count : count - least(count, threads);
}

/// Units that are taken whole, and the pieces of the others.
static inline int64_t product_parts(const product_units *units) {
    return units->whole_units + (product_units_count(units) - units->whole_units) * units->pieces;
}

/// What part `part` multiplies of a C of so many groups and panels.
static inline product_block product_block_at(const product_units *units, int64_t groups, int64_t panels, int64_t part) {
    const int64_t into_last = part - units->whole_units;
    const bool is_piece = into_last >= 0;
    const int64_t pieces = is_piece ? units->pieces : 1;
    const int64_t unit = is_piece ? units->whole_units + into_last / pieces : part;
    const int64_t row_unit = unit % units->row_units, column_unit = unit / units->row_units;
    const int64_t piece = row_unit * pieces + (is_piece ? into_last % pieces : 0), of = units->row_units * pieces;
    return (product_block){
        .unit = unit,
        .first_group = groups * piece / of,
        .last_group = groups * (piece + 1) / of,
        .first_panel = panels * column_unit / units->column_units,
        .last_panel = panels * (column_unit + 1) / units->column_units,
    };
}

#endif
