/// y with scale · (x Aᵀ) Bᵀ added to some of its columns (LoRA, Hu et al. 2022); in place unless somebody else looks at the memory.
///
/// With h = x Aᵀ: dB = scale · dyᵀ h, dh = scale · dy B, dA = dhᵀ x, dx = dh A; y's own gradient passes unchanged.
/// - Parameters:
///   - y: `[tokens, outputs]`, the results of one or several maps side by side.
///   - columns: the columns of the adapted map.
///   - x: `[tokens, inputs]`.
///   - a: `[rank, inputs]`.
///   - b: `[outputs of the map, rank]`.
public func addLowRank(to y: inout Tensor, columns: Range<Int>, x: Tensor, a: Tensor, b: Tensor, scale: Float) {
    precondition(
        a.shape.columns == x.shape.columns && b.shape == [columns.count, a.shape.rows],
        "low rank: A \(a.shape) and B \(b.shape) for \(x.shape) to \(columns.count) columns")
    let backend = x.backend
    let source = y.node
    y.node = nil
    if !y.isUniquelyOwned() {
        let copy = backend.empty(y.shape)
        backend.copy(y, into: copy)
        y = copy
    }
    let h = backend.empty([x.shape.rows, a.shape.rows])
    backend.product(
        x.matrix, transposeA: false, a.matrix, transposeB: true, alpha: 1, bias: nil, into: h.matrix, accumulate: false)
    backend.product(
        h.matrix, transposeA: false, b.matrix, transposeB: true, alpha: scale, bias: nil,
        into: y.matrix.columns(columns), accumulate: true)
    // Values only: a graph node in a closure would keep what it leads to alive.
    let (input, down, up) = (x.detached, a.detached, b.detached)
    let (xNode, aNode, bNode) = (x.node, a.node, b.node)
    y = y.recorded(from: [source, xNode, aNode, bNode]) { gradient in
        let dy = gradient.matrix.columns(columns)
        bNode?.accumulate {
            backend.product(
                dy, transposeA: true, h.matrix, transposeB: false, alpha: scale, bias: nil, into: $0.matrix,
                accumulate: $1)
        }
        if aNode != nil || xNode != nil {
            let dh = backend.empty(h.shape)
            backend.product(
                dy, transposeA: false, up.matrix, transposeB: false, alpha: scale, bias: nil, into: dh.matrix,
                accumulate: false)
            aNode?.accumulate {
                backend.product(
                    dh.matrix, transposeA: true, input.matrix, transposeB: false, alpha: 1, bias: nil, into: $0.matrix,
                    accumulate: $1)
            }
            xNode?.accumulate {
                backend.product(
                    dh.matrix, transposeA: false, down.matrix, transposeB: false, alpha: 1, bias: nil, into: $0.matrix,
                    accumulate: $1)
            }
        }
        source?.accept(gradient)
    }
}
