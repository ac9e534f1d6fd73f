public import Basics
import NeuralNetwork
import TensorCore

/// VeRA (Kopiczko et al. 2024): one random pair of matrices for all maps, frozen; each map learns two vectors, λb ⊙ B (λd ⊙ A x).
public struct VeRA: TuningMethod {
    /// Its name in recipes.
    public static let name = "vera"
    /// What it does.
    public static let summary = "two vectors a map over one frozen random pair of matrices"
    /// Rank of the shared matrices.
    public var rank: Int
    /// Names of the maps; nil for all maps of the blocks.
    public var targets: [String]?
    /// What λd starts as.
    public var initial: Double

    /// Reads its options.
    public init(_ options: any TuningOptions) {
        rank = options.rank(or: 64)
        targets = options.strings("targets")
        initial = options.double("d_initial", minimum: 0, maximum: .greatestFiniteMagnitude) ?? 0.1
    }
    /// Shared matrices of a rank.
    public init(rank: Int = 64) {
        self.rank = rank
        initial = 0.1
    }
    /// Its options, as they are read.
    public var json: JSONObject {
        var object: JSONObject = ["rank": .int(rank), "d_initial": .number(initial)]
        if let targets { object["targets"] = .array(targets.map { .string($0) }) }
        return object
    }

    /// Puts it to work.
    public func attach(to target: TuningTarget) throws -> AttachedMethod {
        let attached = AttachedMethod(self, target)
        let maps = try target.maps(targets, for: name)
        let inputs = maps.map(\.map.inputs).max() ?? 0
        let outputs = maps.map(\.map.outputs).max() ?? 0
        // PEFT's start: kaiming_uniform_ with its default gain, which is even in ±√(6/columns).
        let a = target.initializer.uniform([rank, inputs], bound: (6 / Float(inputs)).squareRoot())
        let b = target.initializer.uniform([outputs, rank], bound: (6 / Float(rank)).squareRoot())
        let shared = SharedPair(a: a.value.floats, b: b.value.floats, inputs: inputs, rank: rank)
        var adapters: [(path: String, map: Linear, adapter: VectorAdapter)] = []
        for (path, map) in maps {
            let adapter = VectorAdapter(map, shared, initial: Float(initial), target.initializer)
            map.push(adapter)
            adapters.append((path, map, adapter))
            attached.add(adapter.outer, at: path, "vera_lambda_b")
            attached.add(adapter.inner, at: path, "vera_lambda_d")
        }
        let rank = rank
        let own = attached.added
        attached.exported = {
            own.map {
                AdapterTensor(site: $0.site, name: $0.name, shape: $0.shape, values: $0.parameter.value.floats)
            } + [
                AdapterTensor(site: "", name: "base_model.vera_A", shape: [rank, inputs], values: shared.a),
                AdapterTensor(site: "", name: "base_model.vera_B", shape: [outputs, rank], values: shared.b),
            ]
        }
        attached.importedAt = { site, name, values in
            if let parameter = own.first(where: { $0.site == site && $0.name == name })?.parameter {
                values.withUnsafeBytes { parameter.value.backend.upload($0, to: parameter.value) }
            } else if name.hasSuffix("vera_A") {
                shared.a = values
            } else {
                shared.b = values
            }
            for entry in adapters { entry.adapter.slice() }
        }
        attached.remove = { for entry in adapters { entry.map.remove(entry.adapter) } }
        attached.fold = { for entry in adapters { entry.map.setWeight(entry.adapter.merged) } }
        return attached
    }
}

/// The matrices that all maps share, of the largest map's size.
final class SharedPair {
    /// `[rank, inputs]`.
    var a: [Float]
    /// `[outputs, rank]`.
    var b: [Float]
    let inputs: Int
    let rank: Int

    init(a: [Float], b: [Float], inputs: Int, rank: Int) {
        (self.a, self.b, self.inputs, self.rank) = (a, b, inputs, rank)
    }
}

/// Two vectors at one map.
final class VectorAdapter: LinearAdapter {
    let inner: Parameter
    let outer: Parameter
    private let map: Linear
    private let shared: SharedPair
    private var a: Tensor
    private var b: Tensor

    init(_ map: Linear, _ shared: SharedPair, initial: Float, _ initializer: Initializer) {
        self.map = map
        self.shared = shared
        inner = initializer.constant([shared.rank], initial)
        outer = initializer.constant([map.outputs], 0)
        a = initializer.backend.empty([shared.rank, map.inputs])
        b = initializer.backend.empty([map.outputs, shared.rank])
        slice()
    }

    var parameters: ParameterTree { ["vera_lambda_b": outer, "vera_lambda_d": inner] }

    /// Takes this map's share of the matrices.
    func slice() {
        let (inputs, width, rank) = (map.inputs, shared.inputs, shared.rank)
        let rows = (0..<rank).flatMap { shared.a[$0 * width..<$0 * width + inputs] }
        rows.withUnsafeBytes { a.backend.upload($0, to: a) }
        Array(shared.b[0..<map.outputs * rank]).withUnsafeBytes { b.backend.upload($0, to: b) }
    }

    func apply(to x: Tensor, base: (Tensor) -> Tensor) -> Tensor {
        let h = scaledColumns(linear(x, weight: a), by: inner.tensor)
        return base(x) + scaledColumns(linear(h, weight: b), by: outer.tensor)
    }

    /// W + diag(λb) B diag(λd) A.
    var merged: [Float] {
        let backend = a.backend
        let scaledRows = scaledColumns(b, by: inner.value.detached)
        let product = backend.empty(map.weight.shape)
        backend.product(
            scaledRows.matrix, transposeA: false, a.matrix, transposeB: false, alpha: 1, bias: nil,
            into: product.matrix, accumulate: false)
        var values = map.weight.value.floats
        let (delta, factors) = (product.floats, outer.value.floats)
        for index in values.indices { values[index] += factors[index / map.inputs] * delta[index] }
        return values
    }
}
