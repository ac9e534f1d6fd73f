import Basics
import NeuralNetwork
import TensorCore

/// scale · B A beside a map.
final class LowRankAdapter: LowRankLinearAdapter {
    /// `[rank, inputs]`.
    let a: Parameter
    /// `[outputs, rank]`.
    let b: Parameter
    let scale: Float
    /// What B A started as, for PiSSA: it is taken off, so that the map's own weight can stay as it is.
    private(set) var start: (a: Tensor, b: Tensor)?
    let map: Linear
    private let dropout: Float
    private let context: TuningContext
    private let place: UInt64

    init(
        _ map: Linear, rank: Int, scale: Float, dropout: Float, context: TuningContext, _ initializer: Initializer
    ) {
        self.map = map
        self.scale = scale
        self.dropout = dropout
        self.context = context
        place = context.place()
        // PyTorch's and PEFT's start: kaiming_uniform_(a: √5), which is even in ±1/√inputs.
        a = initializer.uniform([rank, map.inputs], bound: 1 / Float(map.inputs).squareRoot())
        b = initializer.constant([map.outputs, rank], 0, decays: true)
    }

    var parameters: ParameterTree { ["lora_A.weight": a, "lora_B.weight": b] }

    func products(_ columns: Range<Int>) -> [LowRankProduct] {
        let product = LowRankProduct(a: a.tensor, b: b.tensor, columns: columns, scale: scale)
        return [product] + (start.map { [LowRankProduct(a: $0.a, b: $0.b, columns: columns, scale: -scale)] } ?? [])
    }

    func dropped(_ x: Tensor) -> Tensor? {
        guard dropout > 0 else { return nil }
        return context.dropoutSeed(place).map { TensorCore.dropout(x, rate: dropout, seed: $0) }
    }

    /// Dropout wants float32.
    var takesFactors: Bool { dropout == 0 }

    /// scale · B A, `[outputs, inputs]`, on top of `weight`.
    func addProduct(to weight: Tensor) {
        func add(_ a: Tensor, _ b: Tensor, _ scale: Float) {
            weight.backend.product(
                b.matrix, transposeA: false, a.matrix, transposeB: false, alpha: scale, bias: nil, into: weight.matrix,
                accumulate: true)
        }
        add(a.value, b.value, scale)
        if let start { add(start.a, start.b, -scale) }
    }

    /// PiSSA: B A becomes the principal part of the weight, and the rest of the weight is what stays frozen.
    func startFromPrincipal() {
        let rank = a.shape[0]
        let weight = map.weight.value.backend.empty(map.weight.shape)
        weight.backend.convert(map.weight.value, into: weight)
        let principal = PrincipalPart(weight, rank: rank)
        let backend = a.value.backend
        // scale · B A is the principal part: both take the root of the singular values over the scale.
        let roots = principal.singularValues.map { Float(($0 / Double(scale)).squareRoot()) }
        let b0 = principal.leftVectors.enumerated().map { $0.element * roots[$0.offset % rank] }
        var a0 = [Float](repeating: 0, count: rank * map.inputs)
        for column in 0..<map.inputs {
            for place in 0..<rank {
                a0[place * map.inputs + column] = principal.rightVectors[column * rank + place] * roots[place]
            }
        }
        a0.withUnsafeBytes { backend.upload($0, to: a.value) }
        b0.withUnsafeBytes { backend.upload($0, to: b.value) }
        start = (Tensor(a0, shape: a.shape, on: backend), Tensor(b0, shape: b.shape, on: backend))
    }

    /// As a plain LoRA of twice the rank, `[B, −B₀] [A; A₀]`, which needs no changed base (PEFT's conversion does the same).
    func exported(at path: String) -> [AdapterTensor] {
        let (rank, inputs, outputs) = (a.shape[0], a.shape[1], b.shape[0])
        guard let start else { return [] }
        let (b1, b0) = (b.value.floats, start.b.floats)
        var joined: [Float] = []
        for row in 0..<outputs {
            joined += b1[row * rank..<(row + 1) * rank]
            joined += b0[row * rank..<(row + 1) * rank].map { -$0 }
        }
        return [
            AdapterTensor(
                site: path, name: "lora_A.weight", shape: [2 * rank, inputs], values: a.value.floats + start.a.floats),
            AdapterTensor(site: path, name: "lora_B.weight", shape: [outputs, 2 * rank], values: joined),
        ]
    }
}
