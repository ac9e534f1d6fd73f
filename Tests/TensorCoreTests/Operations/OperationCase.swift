import TensorCore
import TestSupport
import Testing

/// A differentiable operation with inputs small enough to differentiate element by element.
struct OperationCase: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let inputs: [CheckedInput]
    let function: @Sendable ([Tensor]) -> Tensor

    init(_ name: String, _ inputs: [CheckedInput], _ function: @escaping @Sendable ([Tensor]) -> Tensor) {
        (testDescription, self.inputs, self.function) = (name, inputs, function)
    }

    static let all: [OperationCase] = products + elementwise + activations + norms + rows + attentions + losses

    static let products = [
        OperationCase("linear", [.init("x", [3, 5]), .init("weight", [4, 5]), .init("bias", [4])]) {
            linear($0[0], weight: $0[1], bias: $0[2])
        },
        OperationCase("linear without bias", [.init("x", [2, 3, 5]), .init("weight", [1, 5])]) {
            linear($0[0], weight: $0[1])
        },
        OperationCase(
            "several maps of one input",
            [
                .init("x", [3, 4]), .init("first", [2, 4]), .init("second", [3, 4]), .init("third", [1, 4]),
                .init("bias", [3]),
            ]
        ) {
            linear($0[0], weights: [$0[1], $0[2], $0[3]], biases: [nil, $0[4], nil])
        },
        OperationCase("matrix product", [.init("a", [3, 4]), .init("b", [4, 2])]) { matrixProduct($0[0], $0[1]) },
        OperationCase("matrix product, transposed", [.init("a", [3, 4]), .init("b", [2, 4])]) {
            matrixProduct($0[0], $0[1], transposeB: true)
        },
        OperationCase("joined columns", [.init("a", [3, 2]), .init("b", [3, 1]), .init("c", [3, 4])]) {
            joinedColumns($0)
        },
        OperationCase("joined rows", [.init("a", [3, 2]), .init("b", [1, 2])]) { joinedRows($0[0], $0[1]) },
    ]

    static let elementwise = [
        OperationCase("sum", [.init("a", [3, 5]), .init("b", [3, 5])]) { $0[0] + $0[1] },
        OperationCase("sum with itself", [.init("a", [3, 5])]) { $0[0] + $0[0] },
        OperationCase("scaled", [.init("x", [3, 5])]) { scaled($0[0], by: -0.75) },
        OperationCase("product", [.init("a", [3, 5]), .init("b", [3, 5])]) { multiplied($0[0], $0[1]) },
        OperationCase("square", [.init("a", [3, 5])]) { multiplied($0[0], $0[0]) },
        OperationCase("scaled columns", [.init("x", [3, 5]), .init("vector", [5])]) {
            scaledColumns($0[0], by: $0[1])
        },
        OperationCase("dropout", [.init("x", [4, 5])]) { dropout($0[0], rate: 0.4, seed: 9) },
        OperationCase("reshaped", [.init("x", [4, 6])]) {
            scaledColumns($0[0].reshaped([8, 3]), by: Tensor([1, 2, 3], shape: [3], on: $0[0].backend))
        },
        OperationCase("recomputed", [.init("x", [4, 3]), .init("weight", [5, 3]), .init("bias", [5])]) { inputs in
            let (weight, bias) = (inputs[1], inputs[2])
            return recomputed(inputs[0]) { activation(.tanh, linear($0, weight: weight, bias: bias)) }
        },
    ]

    // relu has a kink at 0, where differences say nothing; its inputs stay away from it.
    static let activations = Activation.allCases.flatMap { function in
        [
            OperationCase("\(function)", [.init("x", [4, 5], scale: 2)]) {
                activation(function, function == .relu ? awayFromZero($0[0]) : $0[0])
            },
            OperationCase("gated \(function)", [.init("x", [3, 8], scale: 2)]) {
                gatedActivation(function, function == .relu ? awayFromZero($0[0]) : $0[0])
            },
        ]
    }

    static let norms = [
        OperationCase("layer norm", [.init("x", [3, 6], scale: 4), .init("weight", [6]), .init("bias", [6])]) {
            layerNorm($0[0], weight: $0[1], bias: $0[2], epsilon: 1e-5)
        },
        OperationCase("RMS norm", [.init("x", [3, 6], scale: 4), .init("weight", [6])]) {
            rmsNorm($0[0], weight: $0[1], epsilon: 1e-5)
        },
        OperationCase("normalized rows", [.init("x", [3, 5], scale: 4)]) { normalizedRows($0[0]) },
    ]

    static let rows = [
        OperationCase("gathered rows", [.init("table", [4, 3])]) {
            gatherRows($0[0], indices: Tensor([3, 0, -1, 3, 1, 3], on: $0[0].backend))
        },
        OperationCase("embedded text", [.init("table", [4, 3])]) {
            embedded($0[0], ids: Tensor([3, 0, 3], on: $0[0].backend), features: nil, rows: nil)
        },
        OperationCase("embedded pictures", [.init("table", [4, 3]), .init("features", [3, 3])]) {
            embedded(
                $0[0], ids: Tensor([3, -1, 0, -1, -1, 3], on: $0[0].backend), features: $0[1],
                rows: Tensor([1, 4, 3], on: $0[0].backend))
        },
        OperationCase("mean rows", [.init("x", [7, 3])]) { meanRows($0[0], offsets: [0, 1, 5, 7]) },
        OperationCase("patches", [.init("images", [2, 2, 4, 6])]) { patches($0[0], patchSize: 2) },
    ]

    static let attentions = [
        OperationCase("attention of one token", [.init("qkv", [1, 3 * 4])]) {
            attention(
                $0[0], heads: HeadLayout(queryHeads: 1, keyValueHeads: 1, width: 4),
                segments: .uniform(count: 1, length: 1))
        },
        OperationCase("causal attention, grouped queries", [.init("qkv", [7, (4 + 2 + 2) * 4])]) {
            attention(
                $0[0], heads: HeadLayout(queryHeads: 4, keyValueHeads: 2, width: 4),
                segments: AttentionSegments(offsets: [0, 1, 5, 7], isCausal: true))
        },
        OperationCase("bidirectional attention", [.init("qkv", [6, 2 * 3 * 3])]) {
            attention(
                $0[0], heads: HeadLayout(queryHeads: 2, keyValueHeads: 2, width: 3),
                segments: .uniform(count: 2, length: 3))
        },
        OperationCase("attention with prefixes", [.init("qkv", [6, 3 * 4])]) {
            attention(
                $0[0], heads: HeadLayout(queryHeads: 1, keyValueHeads: 1, width: 4, scale: 0.8),
                segments: AttentionSegments(offsets: [0, 4, 6], isCausal: true, prefixCounts: [3, 0]))
        },
        OperationCase("cross-attention", [.init("query", [3, 8]), .init("keyValue", [9, 8])]) {
            attention(
                query: $0[0], keyValue: $0[1], heads: HeadLayout(queryHeads: 2, keyValueHeads: 1, width: 4),
                segments: AttentionSegments(
                    queryOffsets: [0, 1, 3], keyStarts: [5, 0], keyCounts: [4, 5], isCausal: true))
        },
        OperationCase("rotation", [.init("x", [4, 10])]) {
            var x = $0[0]
            let table = (0..<5).flatMap { position in [Float](repeating: Float(position) / 8 + 0.5, count: 4) }
            rotate(
                &x, columns: 8, headWidth: 4, positions: Tensor([0, 2, 4, 1], on: x.backend),
                table: Tensor(table, shape: [5, 4], on: x.backend))
            return x
        },
    ]

    static let losses = [
        OperationCase("cross entropy of logits", [.init("logits", [4, 5], scale: 4)]) {
            crossEntropy(logits: $0[0], labels: [2, -100, 0, 4], scale: 0.5)
        },
        OperationCase("cross entropy in chunks", [.init("hidden", [7, 3], scale: 2), .init("head", [5, 3])]) {
            crossEntropy($0[0], head: $0[1], labels: [2, -100, 0, 4, -1, 1, 1], scale: 0.5, chunkRows: 2)
        },
        OperationCase("cross entropy without labels", [.init("hidden", [2, 3]), .init("head", [5, 3])]) {
            crossEntropy($0[0], head: $0[1], labels: [-100, -100]) + crossEntropy(logits: $0[0], labels: [0, 1])
                + crossEntropy(logits: $0[1], labels: [0, 1, 2, 0, 1])
        },
        OperationCase(
            "contrastive loss",
            [
                .init("images", [3, 4], scale: 4), .init("texts", [5, 4], scale: 4), .init("log temperature", []),
                .init("bias", []),
            ]
        ) {
            sigmoidContrastiveLoss(
                images: normalizedRows($0[0]), texts: normalizedRows($0[1]),
                targets: Tensor(
                    [1, -1, -1, 1, -1, -1, 1, -1, -1, -1, -1, -1, 1, 1, -1], shape: [3, 5], on: $0[0].backend),
                logTemperature: $0[2], bias: $0[3])
        },
    ]
}

/// Values of −2 ..< 2 moved to either side of zero, far enough that no difference crosses it.
private func awayFromZero(_ x: Tensor) -> Tensor {
    let shift = (0..<x.count).map { $0 % 2 == 0 ? Float(2.5) : -2.5 }
    return x + Tensor(shift, shape: x.shape, on: x.backend)
}
