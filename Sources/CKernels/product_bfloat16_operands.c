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
    const int64_t row = group * product->kernels->rows, term = start * BLOCK_TERMS;
    const int64_t index = args->transpose_a ? term * args->lda + row : row * args->lda + term;
    product->kernels->pack_a(out, element_at(args->a, index, args->a_type), args->lda, args->transpose_a,
                             args->a_type, (int)least(product->kernels->rows, args->m - row), args->k - term, count);
}

static void pack_panel(const bfloat16_product *product, uint16_t *out, int64_t panel, int64_t start, int64_t count) {
    const vitrail_product_args *args = product->args;
    const int64_t column = panel * PANEL_COLUMNS, term = start * BLOCK_TERMS;
    const int64_t index = args->transpose_b ? column * args->ldb + term : term * args->ldb + column;
    product->kernels->pack_b(out, element_at(args->b, index, args->b_type), args->ldb, args->transpose_b,
                             args->b_type, (int)least(PANEL_COLUMNS, args->n - column), args->k - term, count);
}

/// An operand whose terms lie apart is packed a block of terms at a time, across its rows (columns): each of the
/// block's 32 lines is then read from end to end.
static void pack_a_part(void *context, int part, int parts) {
    const bfloat16_product *product = context;
    const int64_t block_size = group_block(product), size = product->blocks * block_size;
    const int64_t count = product->args->transpose_a ? product->blocks : product->groups;
    for (int64_t i = count * part / parts; i < count * (part + 1) / parts; i++) {
        if (!product->args->transpose_a) {
            pack_group(product, product->packing_a + i * size, i, 0, product->blocks);
            continue;
        }
        for (int64_t group = 0; group < product->groups; group++) {
            pack_group(product, product->packing_a + group * size + i * block_size, group, i, 1);
        }
    }
}

static void pack_b_part(void *context, int part, int parts) {
    const bfloat16_product *product = context;
    const int64_t block_size = panel_block(product), size = product->blocks * block_size;
    const int64_t count = product->args->transpose_b ? product->panels : product->blocks;
    for (int64_t i = count * part / parts; i < count * (part + 1) / parts; i++) {
        if (product->args->transpose_b) {
            pack_panel(product, product->packing_b + i * size, i, 0, product->blocks);
            continue;
        }
        for (int64_t panel = 0; panel < product->panels; panel++) {
            pack_panel(product, product->packing_b + panel * size + i * block_size, panel, i, 1);
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
                                       int64_t first_panel, int64_t last_panel, int64_t start, int64_t count) {
    const vitrail_product_args *args = product->args;
    const int64_t group_size = group_block(product), panel_size = panel_block(product);
    char *scratch = product->scratch + (size_t)vitrail_pool_thread() * product->scratch_bytes;
    uint16_t *local_a = (uint16_t *)scratch, *local_b = (uint16_t *)(scratch + product->scratch_a_bytes);
    bfloat16_operands operands = {
        .a_group = count * group_size, .b_panel = count * panel_size,
        .a_stride = BLOCK_TERMS * (ptrdiff_t)sizeof(uint16_t), .a_block = group_size,
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
        operands.a = product->shared_a + (first_group * product->blocks + start) * group_size;
        operands.a_group = product->blocks * group_size;
    } else {
        // Terms that lie apart are read across the unit's rows, a block at a time: whole cache lines of each.
        const int64_t taken = args->transpose_a ? 1 : count;
        for (int64_t block = 0; block < count; block += taken) {
            for (int64_t group = first_group; group < last_group; group++) {
                uint16_t *const out = local_a + (group - first_group) * operands.a_group + block * group_size;
                pack_group(product, out, group, start + block, taken);
            }
        }
        operands.a = local_a;
    }
    if (product->shared_b) {
        operands.b = product->shared_b + (first_panel * product->blocks + start) * panel_size;
        operands.b_panel = product->blocks * panel_size;
    } else {
        for (int64_t panel = first_panel; panel < last_panel; panel++) {
            pack_panel(product, local_b + (panel - first_panel) * operands.b_panel, panel, start, count);
        }
        operands.b = local_b;
    }
    return operands;
}
