public import NeuralNetwork
public import TensorCore

/// SigLIP's head: a learned probe attends over the patches, then a residual feed-forward (Zhai et al. 2023).
public final class AttentionPooling: Module {
    private let probe: Parameter
    private let query: Linear
    private let key: Linear
    private let value: Linear
    private let output: Linear
    private let norm: LayerNorm
    private let feedForward: MLP
    private let heads: HeadLayout

    init(_ configuration: VisionConfiguration, _ initializer: Initializer) {
        let hidden = configuration.hiddenSize
        func map() -> Linear {
            Linear(inputs: hidden, outputs: hidden, hasBias: true, initializer)
        }
        probe = initializer.normal([1, hidden], deviation: 1 / Float(hidden).squareRoot(), decays: false)
        query = map()
        key = map()
        value = map()
        output = map()
        norm = LayerNorm(columns: hidden, epsilon: configuration.normEpsilon, initializer)
        feedForward = MLP(
            hiddenSize: hidden, intermediateSize: configuration.intermediateSize, activation: configuration.activation,
            initializer)
        heads = HeadLayout(
            queryHeads: configuration.attentionHeads, keyValueHeads: configuration.attentionHeads,
            width: hidden / configuration.attentionHeads)
        initializer.makeAdjacent([query.weight, key.weight, value.weight])
        initializer.makeAdjacent([query.bias, key.bias, value.bias])
    }

    /// Parameters by path.
    public var parameters: ParameterTree {
        [
            "probe": probe, "query": query, "key": key, "value": value, "output": output, "norm": norm,
            "feedForward": feedForward,
        ]
    }

    /// `[pictures · patches, hidden]` → `[pictures, hidden]`.
    public func callAsFunction(_ states: Tensor, pictures: Int) -> Tensor {
        let patches = states.shape.rows / pictures
        let probes = gatherRows(
            probe.tensor, indices: Tensor([Int32](repeating: 0, count: pictures), on: states.backend))
        let segments = AttentionSegments(
            queryOffsets: (0...pictures).map { Int32($0) }, keyStarts: (0..<pictures).map { Int32($0 * patches) },
            keyCounts: [Int32](repeating: Int32(patches), count: pictures), isCausal: false)
        let attended = output(
            attention(
                query: query(probes), keyValue: Linear.together([key, value], states), heads: heads, segments: segments)
        )
        return attended + feedForward(norm(attended))
    }
}
