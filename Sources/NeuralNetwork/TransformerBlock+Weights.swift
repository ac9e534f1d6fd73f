public import TensorCore

extension TransformerBlock {
    /// The block's weights where it is a plain gated one without adapters, norms of heads or weights from elsewhere.
    public var weights: DecoderBlockWeights? {
        guard let norm1 = norm1 as? RMSNorm, let norm2 = norm2 as? RMSNorm, let gated = feedForward as? GatedMLP,
            attention.queryNorm == nil, attention.keyNorm == nil,
            let queryKeyValue = Linear.weights(of: [attention.query, attention.key, attention.value]),
            let output = Linear.weights(of: [attention.output]),
            let gateUp = Linear.weights(of: [gated.gate, gated.up]), let down = Linear.weights(of: [gated.down])
        else { return nil }
        return DecoderBlockWeights(
            norms: [norm1.map, norm2.map], queryKeyValue: queryKeyValue,
            output: output, gateUp: gateUp, down: down, activation: gated.activation, heads: attention.heads,
            window: attention.window)
    }
}

extension RMSNorm {
    /// The factors of columns, and ε.
    package var map: (weight: Tensor, epsilon: Float) { (factors, epsilon) }
}

extension Linear {
    /// Maps of one input as one product; nil where something is attached to one of them, or they are apart in memory.
    static func weights(of maps: [Linear]) -> MapWeights? {
        guard maps.allSatisfy(\.isPlain) else { return nil }
        return MapWeights(maps.map { ($0.weight.value, $0.bias?.value) })
    }
}
