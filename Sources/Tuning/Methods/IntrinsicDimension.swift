public import Basics
import NeuralNetwork
import TensorCore

/// Intrinsic dimension (Aghajanyan et al. 2021): all weights of a part move within a random subspace of few dimensions, θ = θ₀ + P z.
///
/// P is never stored: it is a Fastfood transform (Le et al. 2013) a matrix. SAID gives every matrix a learned factor on its share.
public struct IntrinsicDimension: TuningMethod {
    /// Its name in recipes.
    public static let name = "intrinsic"
    /// What it does.
    public static let summary = "a random subspace of few dimensions for all matrices of a part (Fastfood, SAID)"
    /// Dimensions of the subspace.
    public var dimensions: Int
    /// Whether each matrix has a factor of its own.
    public var isStructureAware: Bool
    /// Names of the maps; nil for all maps of the blocks.
    public var targets: [String]?
    /// Seed of the transforms.
    public var seed: Int

    /// Reads its options.
    public init(_ options: any TuningOptions) {
        dimensions = options.int("dimensions", minimum: 1) ?? 1_000
        isStructureAware = options.bool("said") ?? true
        targets = options.strings("targets")
        seed = options.int("seed", minimum: 0) ?? 1
    }
    /// A subspace of this many dimensions.
    public init(dimensions: Int, isStructureAware: Bool = true) {
        (self.dimensions, self.isStructureAware, seed) = (dimensions, isStructureAware, 1)
    }
    /// Its options, as they are read.
    public var json: JSONObject {
        var object: JSONObject = [
            "dimensions": .int(dimensions), "said": .bool(isStructureAware), "seed": .int(seed),
        ]
        if let targets { object["targets"] = .array(targets.map { .string($0) }) }
        return object
    }

    /// Puts it to work.
    public func attach(to target: TuningTarget) throws -> AttachedMethod {
        let attached = AttachedMethod(self, target)
        let maps = try target.maps(targets, for: name)
        let total = maps.reduce(0) { $0 + $1.map.weight.count }
        guard dimensions <= total else {
            throw UnfitMethod(
                target, name, "\(dimensions) dimensions exceed its \(total) weights", fix: "write fewer dimensions:")
        }
        let part = String((maps.first?.path ?? "language").prefix { $0 != "." })
        let coordinates = target.initializer.constant([dimensions], 0)
        attached.add(coordinates, at: "", "intrinsic_coordinates", part: part)
        var adapters: [(Linear, SubspaceAdapter)] = []
        for (index, (path, map)) in maps.enumerated() {
            let transform = FastfoodTransform(
                inputs: dimensions, outputs: map.weight.count, seed: UInt64(seed), stream: UInt64(index))
            let factor = isStructureAware ? target.initializer.constant([1], 1) : nil
            let adapter = SubspaceAdapter(map, coordinates, factor, transform)
            map.push(adapter)
            adapters.append((map, adapter))
            if let factor { attached.add(factor, at: path, "intrinsic_factor") }
        }
        attached.remove = { for (map, adapter) in adapters { map.remove(adapter) } }
        attached.fold = { for (map, adapter) in adapters { map.setWeight(adapter.weight.floats) } }
        return attached
    }
}

/// W₀ + λ · P z at one map.
final class SubspaceAdapter: LinearAdapter {
    private let map: Linear
    private let coordinates: Parameter
    private let factor: Parameter?
    private let transform: FastfoodTransform

    init(_ map: Linear, _ coordinates: Parameter, _ factor: Parameter?, _ transform: FastfoodTransform) {
        (self.map, self.coordinates, self.factor, self.transform) = (map, coordinates, factor, transform)
    }

    var parameters: ParameterTree { ["intrinsic_coordinates": coordinates, "intrinsic_factor": factor] }

    /// The weight as it is moved.
    var weight: Tensor {
        var moved = transform(coordinates.tensor)
        if let factor { moved = scaledColumns(moved.reshaped([moved.count, 1]), by: factor.tensor) }
        return map.weight.value + moved.reshaped(map.weight.shape)
    }

    func apply(to x: Tensor, base: (Tensor) -> Tensor) -> Tensor { linear(x, weight: weight, bias: map.bias?.tensor) }
}

/// P z for a random P `[outputs, inputs]` that is never stored: H G Π H B with signs B, a permutation Π and normal factors G, H the
/// Walsh–Hadamard transform, over the next power of two, divided by √(length · Σ G²).
final class FastfoodTransform {
    private let outputs: Int
    private let inputs: Int
    private let length: Int
    private let signs: [Float]
    private let order: [Int32]
    private let gains: [Float]
    private let divisor: Float

    init(inputs: Int, outputs: Int, seed: UInt64, stream: UInt64) {
        self.inputs = inputs
        self.outputs = outputs
        var length = 1
        while length < max(inputs, outputs) { length *= 2 }
        self.length = length
        var generator = RandomGenerator(seed: seed, stream: stream)
        signs = (0..<length).map { _ in generator.next() & 1 == 0 ? 1 : -1 }
        var places = (0..<length).map { Int32($0) }
        generator.shuffle(&places)
        order = places
        gains = (0..<length).map { _ in Float(generator.normal()) }
        let squares = gains.reduce(0.0) { $0 + Double($1) * Double($1) }
        divisor = Float((Double(length) * squares).squareRoot())
    }

    /// - Parameter z: `[inputs]`.
    /// - Returns: `[outputs]`; gradient: Pᵀ dy.
    func callAsFunction(_ z: Tensor) -> Tensor {
        let backend = z.backend
        var values = z.floats + [Float](repeating: 0, count: length - inputs)
        for index in values.indices { values[index] *= signs[index] }
        Self.transform(&values)
        var mixed = (0..<length).map { values[Int(order[$0])] * gains[$0] }
        Self.transform(&mixed)
        let y = Tensor(mixed.prefix(outputs).map { $0 / divisor }, shape: [outputs], on: backend)
        let node = z.node
        return y.recorded(from: [node]) { [self] gradient in
            var back = gradient.floats.map { $0 / divisor } + [Float](repeating: 0, count: length - outputs)
            Self.transform(&back)
            var scattered = [Float](repeating: 0, count: length)
            for index in 0..<length { scattered[Int(order[index])] = back[index] * gains[index] }
            Self.transform(&scattered)
            let result = (0..<inputs).map { scattered[$0] * signs[$0] }
            node?.accept(Tensor(result, shape: [inputs], on: backend))
        }
    }

    /// The Walsh–Hadamard transform, not normalised, in place; it is symmetric.
    static func transform(_ values: inout [Float]) {
        values.withUnsafeMutableBufferPointer { values in
            var half = 1
            while half < values.count {
                for start in stride(from: 0, to: values.count, by: 2 * half) {
                    for index in start..<start + half {
                        let (a, b) = (values[index], values[index + half])
                        values[index] = a + b
                        values[index + half] = a - b
                    }
                }
                half *= 2
            }
        }
    }
}
