import CKernels
public import TensorCore

extension CPUBackend {
    /// Rows of narrow tables are widened or dequantised on the way, in the order in which products want a table of blocks.
    public func gatherRows(_ table: Matrix, indices: Tensor, into destination: Matrix, accumulate: Bool) {
        if multipliesBlocks, table.dtype.isInBlocks, let groups = regrouped(table) {
            vitrail_gather_groups(
                pool, groups, table.dtype.kernelType, indices.intPointer, destination.window, accumulate)
            return
        }
        let table = inPlainOrder(table)
        vitrail_gather_rows(
            pool, table.pointer, table.dtype.kernelType, table.dtype.byteCount(of: table.rowStride),
            indices.intPointer, destination.window, accumulate)
    }

    /// A thread owns a range of columns, so rows that meet are added in their order.
    public func scatterAddRows(_ source: Matrix, indices: Tensor, into destination: Matrix) {
        vitrail_scatter_rows(pool, source.window, indices.intPointer, destination.window, true)
    }

    /// A thread owns a range of columns.
    public func scatterRows(_ source: Matrix, indices: Tensor, into destination: Matrix) {
        vitrail_scatter_rows(pool, source.window, indices.intPointer, destination.eitherWindow, false)
    }

    /// A thread owns a range of columns.
    public func meanRows(_ x: Matrix, offsets: Tensor, into destination: Matrix) {
        vitrail_mean_rows(pool, x.window, offsets.intPointer, destination.window)
    }

    /// A thread owns a range of columns.
    public func meanRowsGradient(_ gradient: Matrix, offsets: Tensor, into destination: Matrix, accumulate: Bool) {
        vitrail_mean_rows_gradient(pool, gradient.window, offsets.intPointer, destination.window, accumulate)
    }

    /// A thread owns some lines of patches.
    public func patches(_ images: Tensor, patchSize: Int, into destination: Matrix) {
        let shape = images.shape
        vitrail_patches(
            pool, images.floatPointer, shape[1], shape[2], shape[3], patchSize, shape[0], destination.window)
    }

    /// A thread owns some lines of patches.
    public func patchesGradient(_ gradient: Matrix, patchSize: Int, into destination: Tensor, accumulate: Bool) {
        let shape = destination.shape
        vitrail_patches_gradient(
            pool, gradient.window, shape[1], shape[2], shape[3], patchSize, shape[0], destination.floatPointer,
            accumulate)
    }

    /// Rows are shared out over the threads.
    public func rotate(_ x: Matrix, headWidth: Int, positions: Tensor, table: Tensor, inverse: Bool) {
        vitrail_rotate(pool, x.eitherWindow, headWidth, positions.intPointer, table.floatPointer, inverse)
    }
}
