// Where a bfloat16 product's operands come from: packed once by all threads, by the unit of work that reads them, or A as
// it lies.

#include "product_bfloat16.h"

static const void *element_at(const void *data, int64_t index, vitrail_element type) {
    return type == VITRAIL_BFLOAT16 ? (const void *)((const uint16_t *)data + index)
                                    : (const void *)((const float *)data + index);
}

/// Packs blocks [start, start + count) of a group's terms.
static void pack_group(const bfloat16_product *product, uint16_t *out, int64_t group, int64_t start, int64_t count) {
    const vitrail_product_args *args = product->args;
    const int64_t row = group * product->kernels->rows, term = start * product->kernels->terms;
    const int64_t index = args->transpose_a ? term * args->lda + row : row * args->lda + term;
    product->kernels->pack_a(out, element_at(args->a, index, args->a_type), args->lda, args->transpose_a,
                             args->a_type, (int)least(product->kernels->rows, args->m - row), args->k - term, count);
}

static void pack_panel(const bfloat16_product *product, uint16_t *out, int64_t panel, int64_t start, int64_t count) {
    const vitrail_product_args *args = product->args;
    const int64_t column = panel * PANEL_COLUMNS, term = start * product->kernels->terms;
    const int64_t index = args->transpose_b ? column * args->ldb + term : term * args->ldb + column;
    product->kernels->pack_b(out, element_at(args->b, index, args->b_type), args->ldb, args->transpose_b,
                             args->b_type, (int)least(PANEL_COLUMNS, args->n - column), args->k - term, count);
}

enum { STRIP = 192 };  // rows (columns) whose terms are asked for together

/// Asks for terms that lie apart, of some neighbouring rows (columns): lines side by side come faster than one of each.
static void ask_for_strip(const void *data, int64_t stride, vitrail_element type, int64_t first, int64_t count,
                          int64_t start, int64_t terms) {
    const int64_t bytes = type == VITRAIL_BFLOAT16 ? 2 : 4;
    for (int64_t term = start; term < start + terms; term++) {
        const char *const line = (const char *)data + (term * stride + first) * bytes;
        for (int64_t at = 0; at < count * bytes; at += 64) __builtin_prefetch(line + at, 0, 2);
    }
}

/// Packs one visit's terms of groups [first, last), `step` elements apart.
static void pack_visit_of_groups(const bfloat16_product *product, uint16_t *out, int64_t step, int64_t first,
                                 int64_t last, int64_t visit) {
    const vitrail_product_args *args = product->args;
    const int64_t start = visit_start(product, visit), count = visit_start(product, visit + 1) - start;
    const int64_t rows = product->kernels->rows, terms = product->kernels->terms;
    for (int64_t group = first; group < last; group++, out += step) {
        const int64_t row = group * rows, strip = STRIP / rows;
        if (args->transpose_a && (group - first) % strip == 0) {
            ask_for_strip(args->a, args->lda, args->a_type, row, least(least(strip, last - group) * rows, args->m - row),
                          start * terms, least(count * terms, args->k - start * terms));
        }
        pack_group(product, out, group, start, count);
    }
}

static void pack_visit_of_panels(const bfloat16_product *product, uint16_t *out, int64_t step, int64_t first,
                                 int64_t last, int64_t visit) {
    const vitrail_product_args *args = product->args;
    const int64_t start = visit_start(product, visit), count = visit_start(product, visit + 1) - start;
    const int64_t terms = product->kernels->terms, strip = STRIP / PANEL_COLUMNS;
    for (int64_t panel = first; panel < last; panel++, out += step) {
        const int64_t column = panel * PANEL_COLUMNS;
        if (!args->transpose_b && (panel - first) % strip == 0) {
            ask_for_strip(args->b, args->ldb, args->b_type, column,
                          least(least(strip, last - panel) * PANEL_COLUMNS, args->n - column), start * terms,
                          least(count * terms, args->k - start * terms));
        }
        pack_panel(product, out, panel, start, count);
    }
}

/// An operand whose terms lie apart is packed a block of terms at a time, across its rows (columns): each of the
/// block's 32 lines is then read from end to end. Scales want to see all of a visit's terms first.
static void pack_a_part(void *context, int part, int parts) {
    const bfloat16_product *product = context;
    const bool by_block = product->args->transpose_a && !product->kernels->scales;
    const int64_t size = group_size(product, product->blocks, product->visits);
    const int64_t count = by_block ? product->blocks : product->groups * product->visits;
    const int64_t last = count * (part + 1) / parts;
    for (int64_t i = count * part / parts; i < last; i++) {
        if (!by_block) {
            const int64_t visit = i / product->groups, group = i % product->groups;
            const int64_t end = least(group + last - i, product->groups);
            uint16_t *const out = product->packing_a + group * size;
            pack_visit_of_groups(product, out + group_size(product, visit_start(product, visit), visit), size, group, end,
                                 visit);
            i += end - group - 1;
            continue;
        }
        for (int64_t group = 0; group < product->groups; group++) {
            pack_group(product, product->packing_a + group * size + i * group_block(product), group, i, 1);
        }
    }
}

static void pack_b_part(void *context, int part, int parts) {
    const bfloat16_product *product = context;
    const bool by_block = !product->args->transpose_b && !product->kernels->scales;
    const int64_t size = panel_size(product, product->blocks, product->visits);
    const int64_t count = by_block ? product->blocks : product->panels * product->visits;
    const int64_t last = count * (part + 1) / parts;
    for (int64_t i = count * part / parts; i < last; i++) {
        if (!by_block) {
            const int64_t visit = i / product->panels, panel = i % product->panels;
            const int64_t end = least(panel + last - i, product->panels);
            uint16_t *const out = product->packing_b + panel * size;
            pack_visit_of_panels(product, out + panel_size(product, visit_start(product, visit), visit), size, panel, end,
                                 visit);
            i += end - panel - 1;
            continue;
        }
        for (int64_t panel = 0; panel < product->panels; panel++) {
            pack_panel(product, product->packing_b + panel * size + i * panel_block(product), panel, i, 1);
        }
    }
}

void bfloat16_pack_part(void *context, int part, int parts) {
    const bfloat16_product *product = context;
    const int parts_a = !product->packing_a ? 0 : !product->packing_b ? parts : parts / 2;
    if (part < parts_a) {
        pack_a_part(context, part, parts_a);
    } else {
        pack_b_part(context, part - parts_a, parts - parts_a);
    }
}

bfloat16_operands bfloat16_operands_at(const bfloat16_product *product, int64_t first_group, int64_t last_group,
                                       int64_t first_panel, int64_t last_panel, int64_t visit) {
    const vitrail_product_args *args = product->args;
    const int64_t start = visit_start(product, visit), count = visit_start(product, visit + 1) - start;
    const int64_t group_whole = group_size(product, product->blocks, product->visits);
    const int64_t panel_whole = panel_size(product, product->blocks, product->visits);
    char *scratch = product->scratch + (size_t)vitrail_pool_thread() * product->scratch_bytes;
    uint16_t *local_a = (uint16_t *)scratch, *local_b = (uint16_t *)(scratch + product->scratch_a_bytes);
    bfloat16_operands operands = {
        .a_group = group_size(product, count, 1), .b_panel = panel_size(product, count, 1),
        .a_stride = BLOCK_TERMS * (ptrdiff_t)sizeof(uint16_t), .a_block = group_block(product),
    };
    if (product->direct_a) {
        const int rows = product->kernels->rows;
        operands.a = (const uint16_t *)args->a + first_group * rows * args->lda + start * BLOCK_TERMS;
        operands.a_group = rows * args->lda;
        operands.a_stride = args->lda * (ptrdiff_t)sizeof(uint16_t);
        operands.a_block = BLOCK_TERMS;
        if (last_group * rows > args->m) {
            pack_group(product, local_a, last_group - 1, start, count);
            operands.a_edge = local_a;
        }
    } else if (product->shared_a) {
        operands.a = product->shared_a + first_group * group_whole + group_size(product, start, visit);
        operands.a_group = group_whole;
    } else {
        // Terms that lie apart are read across the unit's rows, a block at a time: whole cache lines of each.
        const bool by_block = args->transpose_a && !product->kernels->scales;
        if (!by_block) pack_visit_of_groups(product, local_a, operands.a_group, first_group, last_group, visit);
        for (int64_t block = 0; by_block && block < count; block++) {
            for (int64_t group = first_group; group < last_group; group++) {
                uint16_t *const out = local_a + (group - first_group) * operands.a_group + block * group_block(product);
                pack_group(product, out, group, start + block, 1);
            }
        }
        operands.a = local_a;
    }
    if (product->shared_b) {
        operands.b = product->shared_b + first_panel * panel_whole + panel_size(product, start, visit);
        operands.b_panel = panel_whole;
    } else {
        pack_visit_of_panels(product, local_b, operands.b_panel, first_panel, last_panel, visit);
        operands.b = local_b;
    }
    return operands;
}
