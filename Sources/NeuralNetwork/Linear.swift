public import TensorCore

/// y = x Wᵀ + b, the only linear map there is.
public final class Linear: Layer {
    /// `[outputs, inputs]`.
    public let weight: Parameter
    /// `[outputs]`, nil for a map without bias.
    public private(set) var bias: Parameter?
    /// A tuning method that changes what the map computes, nil normally.
    public var adapter: (any LinearAdapter)?

    /// A map over existing parameters.
    public init(weight: Parameter, bias: Parameter?) {
        self.weight = weight
        self.bias = bias
    }

    /// A new map with normally distributed weights of deviation gain/√inputs and zero biases.
    ///
    /// Scaling by the inputs keeps the size of signals at every width; a fixed 0.02 is right near 2,000 columns only, and at 128
    /// a tower takes several times as many epochs before it sees shapes.
    public convenience init(inputs: Int, outputs: Int, hasBias: Bool, gain: Float = 1, _ initializer: Initializer) {
        self.init(
            weight: initializer.normal([outputs, inputs], deviation: gain / Float(inputs).squareRoot()),
            bias: hasBias ? initializer.constant([outputs], 0) : nil)
    }

    /// A new map as PyTorch starts one: weights and biases even in ±1/√inputs.
    public static func evenly(inputs: Int, outputs: Int, hasBias: Bool = true, _ initializer: Initializer) -> Linear {
        let bound = 1 / Float(inputs).squareRoot()
        return Linear(
            weight: initializer.uniform([outputs, inputs], bound: bound),
            bias: hasBias ? initializer.uniform([outputs], bound: bound, decays: false) : nil)
    }

    /// Columns of the input.
    public var inputs: Int { weight.shape[1] }
    /// Columns of the result.
    public var outputs: Int { weight.shape[0] }

    /// Parameters by path.
    public var parameters: ParameterTree {
        var tree: ParameterTree = ["weight": weight, "bias": bias]
        if let adapter { tree.append(adapter.parameters, under: "adapter") }
        return tree
    }

    /// Gives the map a bias of zeros, for methods that tune biases only.
    public func addBias() {
        guard bias == nil else { return }
        bias = Parameter(weight.value.backend.zeros([outputs]), decays: false)
    }

    /// Applies the layer to the last axis.
    public func callAsFunction(_ x: Tensor) -> Tensor { Self.together([self], x) }

    /// Several maps of one input, results side by side; one product when no adapter stands between.
    public static func together(_ maps: [Linear], _ x: Tensor) -> Tensor {
        if maps.allSatisfy({ $0.adapter == nil }) {
            return linear(x, weights: maps.map(\.weight.tensor), biases: maps.map { $0.bias?.tensor })
        }
        let parts = maps.map { map in
            guard let adapter = map.adapter else { return linear(x, weight: map.weight.tensor, bias: map.bias?.tensor) }
            return adapter.apply(to: x) { linear($0, weight: map.weight.tensor, bias: map.bias?.tensor) }
        }
        return parts.count == 1 ? parts[0] : joinedColumns(parts)
    }
}

/// A tuning method at one linear map: LoRA, (IA)³ and the like. No model file knows of them.
public protocol LinearAdapter: Module {
    /// The adapted map's result; `base` is the map as it stands.
    func apply(to x: Tensor, base: (Tensor) -> Tensor) -> Tensor
}
