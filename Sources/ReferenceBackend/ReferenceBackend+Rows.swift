public import TensorCore

extension ReferenceBackend {
    /// y[i] = table[indices[i]].
    public func gatherRows(_ table: Matrix, indices: Tensor, into destination: Matrix, accumulate: Bool) {
        for i in 0..<destination.rows {
            let row = indices.index(i)
            for c in 0..<destination.columns {
                destination.set(i, c, row < 0 ? 0 : table[row, c], accumulate: accumulate)
            }
        }
    }

    /// y[indices[i]] += x[i].
    public func scatterAddRows(_ source: Matrix, indices: Tensor, into destination: Matrix) {
        for i in 0..<source.rows where indices.index(i) >= 0 {
            for c in 0..<source.columns { destination.set(indices.index(i), c, source[i, c], accumulate: true) }
        }
    }

    /// y[indices[i]] = x[i].
    public func scatterRows(_ source: Matrix, indices: Tensor, into destination: Matrix) {
        for i in 0..<source.rows where indices.index(i) >= 0 {
            for c in 0..<source.columns { destination.set(indices.index(i), c, source[i, c]) }
        }
    }

    /// An empty segment gives a zero row.
    public func meanRows(_ x: Matrix, offsets: Tensor, into destination: Matrix) {
        for s in 0..<destination.rows {
            let rows = offsets.index(s)..<offsets.index(s + 1)
            for c in 0..<x.columns {
                let sum = rows.reduce(0) { $0 + x[$1, c] }
                destination.set(s, c, rows.isEmpty ? 0 : sum / Double(rows.count))
            }
        }
    }

    /// dx[r] = dy[s] / n for the n rows r of segment s.
    public func meanRowsGradient(_ gradient: Matrix, offsets: Tensor, into destination: Matrix, accumulate: Bool) {
        for s in 0..<gradient.rows {
            let rows = offsets.index(s)..<offsets.index(s + 1)
            for r in rows {
                for c in 0..<gradient.columns {
                    destination.set(r, c, gradient[s, c] / Double(rows.count), accumulate: accumulate)
                }
            }
        }
    }

    /// rows[patch, (c, y, x)] = images[n, c, y, x].
    public func patches(_ images: Tensor, patchSize: Int, into destination: Matrix) {
        forEachPatchElement(of: images.shape, patchSize) { pixel, row, column in
            destination.set(row, column, images.element(pixel))
        }
    }

    /// Pixels beyond the last whole patch belong to none: their gradient is 0.
    public func patchesGradient(_ gradient: Matrix, patchSize: Int, into destination: Tensor, accumulate: Bool) {
        if !accumulate { fill(destination, 0) }
        forEachPatchElement(of: destination.shape, patchSize) { pixel, row, column in
            destination.setElement(pixel, gradient[row, column], accumulate: true)
        }
    }

    /// Which pixel of `[images, channels, height, width]` stands in which row and column of the patch matrix.
    private func forEachPatchElement(of shape: Shape, _ patch: Int, _ body: (Int, Int, Int) -> Void) {
        let (images, channels, height, width) = (shape[0], shape[1], shape[2], shape[3])
        let (down, across) = (height / patch, width / patch)
        for n in 0..<images {
            for c in 0..<channels {
                for y in 0..<down * patch {
                    for x in 0..<across * patch {
                        let pixel = ((n * channels + c) * height + y) * width + x
                        let row = (n * down + y / patch) * across + x / patch
                        body(pixel, row, (c * patch + y % patch) * patch + x % patch)
                    }
                }
            }
        }
    }
}
