// Where a bfloat16 product's operands come from: packed once by all threads, by the unit of work that reads them, or A as
// it lies.

#include "product_bfloat16.h"

enum { STRIP = 192 };  // rows (columns) whose terms are asked for together

/// A or B on its way into groups of rows or panels of columns; both are `lines` here.
typedef struct {
    const void *data;
    int64_t stride, lines;
    int64_t width, groups;    // lines in a group
    int64_t block;            // elements of a group's packed block
    vitrail_element type;
    bool transposed, apart;   // apart: a line's terms are not neighbours
    const vitrail_coded_rows *codes;  // instead of `data`, or NULL
    void (*pack)(uint16_t *, const void *, int64_t, bool, vitrail_element, int, int64_t, int64_t);
} operand;

static operand operand_a(const bfloat16_product *product) {
    const vitrail_product_args *args = product->args;
    return (operand){
        .data = args->a, .stride = args->lda, .lines = args->m, .type = args->a_type, .transposed = args->transpose_a,
        .apart = args->transpose_a, .width = product->kernels->rows, .groups = product->groups,
        .block = group_block(product), .pack = product->kernels->pack_a,
    };
}

static operand operand_b(const bfloat16_product *product) {
    const vitrail_product_args *args = product->args;
    return (operand){
        .data = args->b, .stride = args->ldb, .lines = args->n, .type = args->b_type, .transposed = args->transpose_b,
        .apart = !args->transpose_b, .width = PANEL_COLUMNS, .groups = product->panels,
        .block = panel_block(product), .pack = product->kernels->pack_b,
        .codes = args->b_type == VITRAIL_CODES ? args->b : NULL,
    };
}

static const char *operand_at(const operand *from, int64_t line, int64_t term) {
    const int64_t index = from->apart ? term * from->stride + line : line * from->stride + term;
    return element_at(from->data, index, from->type);
}

/// Packs blocks [start, start + count) of a group's terms.
static void pack_blocks(const bfloat16_product *product, const operand *from, uint16_t *out, int64_t group,
                        int64_t start, int64_t count) {
    const int64_t line = group * from->width, term = start * product->kernels->terms;
    if (from->codes) {
        bfloat16_pack_codes(out, from->codes, from->stride, from->transposed, line, from->lines, term, product->args->k, count);
        return;
    }
    from->pack(out, operand_at(from, line, term), from->stride, from->transposed, from->type,
               (int)least(from->width, from->lines - line), product->args->k - term, count);
}

/// Asks for a visit's terms of some neighbouring lines that lie apart: the cores' own prefetching does not see strides coming.
static void ask_for_lines(const bfloat16_product *product, const operand *from, int64_t first, int64_t last,
                          int64_t visit) {
    const int64_t terms = product->kernels->terms;
    const int64_t end = least(visit_start(product, visit + 1) * terms, product->args->k);
    last = least(last, from->lines);
    for (int64_t i = visit_start(product, visit) * terms; i < end; i++) {
        const char *const after = operand_at(from, last, i);
        for (const char *at = operand_at(from, first, i); at < after; at += 64) __builtin_prefetch(at, 0, 2);
    }
}

/// Packs one visit's terms of a group. `last` ends the groups that are packed in turn, of which this one may be the first.
static void pack_visit(const bfloat16_product *product, const operand *from, uint16_t *out, int64_t group, int64_t last,
                       int64_t visit, bool is_first) {
    const int64_t strip = STRIP / from->width, start = visit_start(product, visit), width = from->width;
    if (product->kernels->scales && from->apart && (is_first || group % strip == 0)) {
        ask_for_lines(product, from, group * width, least((group / strip + 1) * strip, last) * width, visit);
    }
    pack_blocks(product, from, out, group, start, visit_start(product, visit + 1) - start);
}

/// Packs one visit's terms of groups [first, last), `step` elements apart; see below for their order.
static void pack_groups(const bfloat16_product *product, const operand *from, uint16_t *out, int64_t step,
                        int64_t first, int64_t last, int64_t visit) {
    const int64_t start = visit_start(product, visit), count = visit_start(product, visit + 1) - start;
    const bool by_block = from->apart && !product->kernels->scales;
    for (int64_t block = 0; by_block && block < count; block++) {
        for (int64_t group = first; group < last; group++) {
            pack_blocks(product, from, out + (group - first) * step + block * from->block, group, start + block, 1);
        }
    }
    for (int64_t group = first; !by_block && group < last; group++) {
        pack_visit(product, from, out + (group - first) * step, group, last, visit, group == first);
    }
}

/// Packs a whole operand. Terms that lie apart are packed a block at a time, across its lines, so that memory is read from
/// end to end; but scales want to see all of a visit's terms first.
static void pack_part(const bfloat16_product *product, const operand *from, uint16_t *out, int part, int parts) {
    const bool by_block = from->apart && !product->kernels->scales;
    const int64_t groups = from->groups, visits = product->visits, scales = from->width * product->kernels->scales;
    const int64_t size = product->blocks * from->block + visits * scales;
    const int64_t count = by_block ? product->blocks : groups * visits, first = count * part / parts;
    const int64_t last = count * (part + 1) / parts;
    for (int64_t i = first; i < last; i++) {
        if (by_block) {
            for (int64_t group = 0; group < groups; group++) {
                pack_blocks(product, from, out + group * size + i * from->block, group, i, 1);
            }
            continue;
        }
        const int64_t group = from->apart ? i % groups : i / visits, visit = from->apart ? i / groups : i % visits;
        const int64_t end = from->apart ? least(group + last - i, groups) : groups;
        uint16_t *const to = out + group * size + visit_start(product, visit) * from->block + visit * scales;
        pack_visit(product, from, to, group, end, visit, i == first);
    }
}

void bfloat16_pack_part(void *context, int part, int parts) {
    const bfloat16_product *product = context;
    const int parts_a = !product->packing_a ? 0 : !product->packing_b ? parts : parts / 2;
    const operand from = part < parts_a ? operand_a(product) : operand_b(product);
    if (part < parts_a) {
        pack_part(product, &from, product->packing_a, part, parts_a);
    } else {
        pack_part(product, &from, product->packing_b, part - parts_a, parts - parts_a);
    }
}

bfloat16_operands bfloat16_operands_at(const bfloat16_product *product, const product_block *block, int64_t visit) {
    const vitrail_product_args *args = product->args;
    const int64_t start = visit_start(product, visit), count = visit_start(product, visit + 1) - start;
    const int64_t group_whole = group_size(product, product->blocks, product->visits);
    const int64_t panel_whole = panel_size(product, product->blocks, product->visits);
    const operand a = operand_a(product), b = operand_b(product);
    char *scratch = product->scratch + (size_t)vitrail_pool_thread() * product->scratch_bytes;
    uint16_t *local_a = (uint16_t *)scratch, *local_b = (uint16_t *)(scratch + product->scratch_a_bytes);
    bfloat16_operands operands = {
        .a_group = group_size(product, count, 1), .b_panel = panel_size(product, count, 1),
        .a_stride = BLOCK_TERMS * (ptrdiff_t)sizeof(uint16_t), .a_block = group_block(product),
    };
    if (product->direct_a) {
        const int rows = product->kernels->rows;
        operands.a = (const uint16_t *)args->a + block->first_group * rows * args->lda + start * BLOCK_TERMS;
        operands.a_group = rows * args->lda;
        operands.a_stride = args->lda * (ptrdiff_t)sizeof(uint16_t);
        operands.a_block = BLOCK_TERMS;
        if (block->last_group * rows > args->m) {
            pack_blocks(product, &a, local_a, block->last_group - 1, start, count);
            operands.a_edge = local_a;
        }
    } else if (product->shared_a) {
        operands.a = product->shared_a + block->first_group * group_whole + group_size(product, start, visit);
        operands.a_group = group_whole;
    } else {
        pack_groups(product, &a, local_a, operands.a_group, block->first_group, block->last_group, visit);
        operands.a = local_a;
    }
    if (product->shared_b) {
        operands.b = product->shared_b + block->first_panel * panel_whole + panel_size(product, start, visit);
        operands.b_panel = panel_whole;
    } else {
        pack_groups(product, &b, local_b, operands.b_panel, block->first_panel, block->last_panel, visit);
        operands.b = local_b;
    }
    return operands;
}
