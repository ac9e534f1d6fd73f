public import NeuralNetwork
public import TensorCore

/// Turns the tower's patches into visual tokens of the decoder's width.
public final class Projector: Module {
    /// Which kind it is.
    public let configuration: ProjectorConfiguration
    private let single: Linear?
    private let mlp: MLP?
    /// What stands behind each row of patches (LLaVA-NeXT), `[1, hidden]`.
    private let newline: Parameter?

    /// A new projector, started as PyTorch starts its linear maps (pixel shuffle: by the inputs, without bias).
    public init(
        _ configuration: ProjectorConfiguration, visionSize: Int, hiddenSize: Int, hasNewline: Bool = false,
        _ initializer: Initializer
    ) {
        self.configuration = configuration
        newline =
            hasNewline
            ? initializer.normal([1, hiddenSize], deviation: 1 / Float(hiddenSize).squareRoot(), decays: false) : nil
        switch configuration {
        case .linear:
            single = .evenly(inputs: visionSize, outputs: hiddenSize, initializer)
            mlp = nil
        case .mlp2xGelu:
            single = nil
            mlp = MLP(
                first: .evenly(inputs: visionSize, outputs: hiddenSize, initializer),
                second: .evenly(inputs: hiddenSize, outputs: hiddenSize, initializer), activation: .gelu)
        case .pixelShuffle(let factor):
            single = Linear(
                inputs: visionSize * factor * factor, outputs: hiddenSize, hasBias: false, initializer)
            mlp = nil
        }
    }

    /// Parameters by path.
    public var parameters: ParameterTree {
        var tree = ParameterTree()
        if let single { tree.append(single.parameters, under: "") }
        if let mlp { tree.append(mlp.parameters, under: "") }
        if let newline { tree.append(newline.parameters, under: "newline") }
        return tree
    }

    /// Projected patches in the order of `sources`, the line end where it is −1, `[sources, hidden]`.
    public func arranged(_ tokens: Tensor, _ sources: [Int32]) -> Tensor {
        let backend = tokens.backend
        guard let newline else { return gatherRows(tokens, indices: Tensor(sources, on: backend)) }
        let kept = sources.indices.filter { sources[$0] >= 0 }
        return embedded(
            newline.tensor, ids: Tensor(sources.map { $0 < 0 ? 0 : -1 }, on: backend),
            features: gatherRows(tokens, indices: Tensor(kept.map { sources[$0] }, on: backend)),
            rows: Tensor(kept.map { Int32($0) }, on: backend))
    }

    /// - Parameters:
    ///   - patches: `[pictures · rows · columns, vision width]`.
    /// - Returns: `[pictures · tokens, hidden]`.
    public func callAsFunction(_ patches: Tensor, pictures: Int, rows: Int, columns: Int) -> Tensor {
        switch configuration {
        case .linear: return single!(patches)
        case .mlp2xGelu: return mlp!(patches)
        case .pixelShuffle(let factor):
            return single!(shuffled(patches, pictures: pictures, rows: rows, columns: columns, factor: factor))
        }
    }

    /// Space to depth: the `factor`² patches of a square side by side, row by row within it.
    private func shuffled(_ x: Tensor, pictures: Int, rows: Int, columns: Int, factor: Int) -> Tensor {
        var order: [Int32] = []
        order.reserveCapacity(x.shape.rows)
        for picture in 0..<pictures {
            for row in 0..<rows / factor {
                for column in 0..<columns / factor {
                    for dy in 0..<factor {
                        for dx in 0..<factor {
                            order.append(Int32((picture * rows + row * factor + dy) * columns + column * factor + dx))
                        }
                    }
                }
            }
        }
        let gathered = gatherRows(x, indices: Tensor(order, on: x.backend))
        return gathered.reshaped([order.count / (factor * factor), x.shape.columns * factor * factor])
    }
}
