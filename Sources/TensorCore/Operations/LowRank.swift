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
    backend.lowRank(x.matrix, a: a.detached, b: b.detached, scale: scale, hidden: h, into: y.matrix.columns(columns))
    // Values only: a graph node in a closure would keep what it leads to alive.
    let (input, down, up) = (x.detached, a.detached, b.detached)
    let (xNode, aNode, bNode) = (x.node, a.node, b.node)
    y = y.recorded(from: [source, xNode, aNode, bNode]) { gradient in
        let dy = gradient.matrix.columns(columns)
        withDestination(of: aNode) { da in
            withDestination(of: bNode) { db in
                withDestination(of: xNode) { dx in
                    backend.lowRankGradient(
                        input.matrix, a: down, b: up, scale: scale, hidden: h, gradient: dy, aGradient: da,
                        bGradient: db, xGradient: dx.map { ($0.0.matrix, accumulate: $0.accumulate) })
                }
            }
        }
        source?.accept(gradient)
    }
}

/// Where a node's next contribution goes; nil for no node.
private func withDestination(of node: GraphNode?, _ body: ((Tensor, accumulate: Bool)?) -> Void) {
    guard let node else { return body(nil) }
    node.accumulate { body(($0, accumulate: $1)) }
}
