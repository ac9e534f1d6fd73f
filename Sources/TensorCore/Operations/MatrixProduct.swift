/// c = a b, or a bᵀ, for two matrices.
///
/// Gradients of c = a b: da = dc bᵀ, db = aᵀ dc; of c = a bᵀ: da = dc b, db = dcᵀ a.
public func matrixProduct(_ a: Tensor, _ b: Tensor, transposeB: Bool = false) -> Tensor {
    let inner = transposeB ? b.shape.columns : b.shape.rows
    let columns = transposeB ? b.shape.rows : b.shape.columns
    precondition(a.shape.columns == inner, "product: \(a.shape) does not fit \(b.shape), transposed: \(transposeB)")
    let backend = a.backend
    let c = backend.empty([a.shape.rows, columns])
    func multiply(_ x: Matrix, _ tx: Bool, _ y: Matrix, _ ty: Bool, _ destination: Tensor, _ accumulates: Bool) {
        backend.product(
            x, transposeA: tx, y, transposeB: ty, alpha: 1, bias: nil, into: destination.matrix, accumulate: accumulates
        )
    }
    multiply(a.matrix, false, b.matrix, transposeB, c, false)
    return c.recorded(from: [a.node, b.node]) { gradient in
        let dc = gradient.matrix
        a.node?.accumulate { multiply(dc, false, b.matrix, !transposeB, $0, $1) }
        b.node?.accumulate { destination, accumulates in
            if transposeB {
                multiply(dc, true, a.matrix, false, destination, accumulates)
            } else {
                multiply(a.matrix, true, dc, false, destination, accumulates)
            }
        }
    }
}

/// Matrices of equal height side by side: `[rows, a]`, `[rows, b]`, … → `[rows, a + b + …]`; gradients are the same columns.
public func joinedColumns(_ parts: [Tensor]) -> Tensor {
    let rows = parts[0].shape.rows
    precondition(parts.allSatisfy { $0.shape.rows == rows }, "join: heights differ")
    let backend = parts[0].backend
    let y = backend.empty([rows, parts.reduce(0) { $0 + $1.shape.columns }])
    let everyRow = Tensor((0..<Int32(rows)).map { $0 }, on: backend)
    var windows: [Range<Int>] = []
    for part in parts {
        let start = windows.last?.upperBound ?? 0
        windows.append(start..<start + part.shape.columns)
        backend.gatherRows(part.matrix, indices: everyRow, into: y.matrix.columns(windows.last!), accumulate: false)
    }
    let nodes = parts.map(\.node)
    return y.recorded(from: nodes) { gradient in
        for (node, window) in zip(nodes, windows) {
            node?.accumulate {
                backend.gatherRows(
                    gradient.matrix.columns(window), indices: everyRow, into: $0.matrix, accumulate: $1)
            }
        }
    }
}

/// Matrices of equal width one above the other; gradients are the same rows.
public func joinedRows(_ a: Tensor, _ b: Tensor) -> Tensor {
    precondition(a.shape.columns == b.shape.columns, "join: widths of \(a.shape) and \(b.shape) differ")
    let backend = a.backend
    let split = a.shape.rows
    let y = backend.empty([split + b.shape.rows, a.shape.columns])
    backend.copy(a, into: y.rows(0..<split))
    backend.copy(b, into: y.rows(split..<y.shape.rows))
    let (first, second, total) = (a.node, b.node, y.shape.rows)
    return y.recorded(from: [first, second]) { gradient in
        let (top, bottom) = (gradient.rows(0..<split), gradient.rows(split..<total))
        first?.accumulate { backend.scale(top, by: 1, into: $0, accumulate: $1) }
        second?.accumulate { backend.scale(bottom, by: 1, into: $0, accumulate: $1) }
    }
}
