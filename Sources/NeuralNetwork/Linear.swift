public import TensorCore

/// y = x Wᵀ + b, the only linear map there is.
public final class Linear: Layer, TuningSite {
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

    /// Parameters by path. An adapter's own are not the model's: whoever attached it keeps them.
    public var parameters: ParameterTree {
        let tree: ParameterTree = ["weight": weight, "bias": bias]
        return tree.with(self)
    }

    /// Applies the layer to the last axis.
    public func callAsFunction(_ x: Tensor) -> Tensor { Self.together([self], x) }

    /// Whether the map's input is read by products only.
    var takesFactors: Bool { adapter == nil && weight.source == nil }

    /// residual + the map's result, in one kernel where nothing is attached to the map.
    func added(to residual: Tensor, _ x: Tensor) -> Tensor {
        guard adapter == nil, weight.source == nil else { return residual + self(x) }
        return linear(x, weight: weight.tensor, bias: bias?.tensor, addedTo: residual)
    }

    /// function(the map's result), in one kernel where nothing is attached to the map and nobody wants gradients.
    func activated(_ function: Activation, _ x: Tensor, asFactor: Bool) -> Tensor {
        guard adapter == nil, weight.source == nil else { return activation(function, self(x), asFactor: asFactor) }
        return activatedLinear(function, x, weight: weight.tensor, bias: bias?.tensor, asFactor: asFactor)
    }

    /// Several maps of one input, results side by side; one product when adapters only add to it.
    ///
    /// - Parameter asFactor: as in `TensorCore.linear`; without effect where something is attached to a map.
    public static func together(_ maps: [Linear], _ x: Tensor, asFactor: Bool = false) -> Tensor {
        if asFactor, maps.allSatisfy(\.takesFactors) {
            return linear(x, weights: maps.map(\.weight.tensor), biases: maps.map { $0.bias?.tensor }, asFactor: true)
        }
        if maps.allSatisfy({ $0.adapter == nil || $0.adapter is any AdditiveLinearAdapter }) {
            var y = plain(maps, x)
            var start = 0
            for map in maps {
                let columns = start..<start + map.outputs
                start = columns.upperBound
                (map.adapter as? any AdditiveLinearAdapter)?.add(to: &y, columns: columns, from: x)
            }
            return y
        }
        let parts = maps.map { map in
            map.adapter.map { $0.apply(to: x) { plain([map], $0) } } ?? plain([map], x)
        }
        return parts.count == 1 ? parts[0] : joinedColumns(parts)
    }

    /// The maps without adapters.
    private static func plain(_ maps: [Linear], _ x: Tensor) -> Tensor {
        guard maps.contains(where: { $0.weight.source != nil }) else {
            return linear(x, weights: maps.map(\.weight.tensor), biases: maps.map { $0.bias?.tensor })
        }
        let sources = maps.compactMap(\.weight.source)
        if sources.count == maps.count, maps.allSatisfy({ $0.bias == nil }) { return linear(x, sources: sources) }
        let parts = maps.map { map in
            map.weight.source.map { linear(x, source: $0, bias: map.bias?.tensor) }
                ?? linear(x, weight: map.weight.tensor, bias: map.bias?.tensor)
        }
        return parts.count == 1 ? parts[0] : joinedColumns(parts)
    }
}

/// A tuning method at one linear map: LoRA, (IA)³ and the like. No model file knows of them.
public protocol LinearAdapter: Module {
    /// The adapted map's result; `base` is the map as it stands.
    func apply(to x: Tensor, base: (Tensor) -> Tensor) -> Tensor
}

/// An adapter whose result is the map's plus something: the products of several maps stay one.
public protocol AdditiveLinearAdapter: LinearAdapter {
    /// Adds to columns of `y`, the results of several maps of `x` side by side.
    func add(to y: inout Tensor, columns: Range<Int>, from x: Tensor)
}

extension AdditiveLinearAdapter {
    /// The map's result with what the adapter adds.
    public func apply(to x: Tensor, base: (Tensor) -> Tensor) -> Tensor {
        var y = base(x)
        add(to: &y, columns: 0..<y.shape.columns, from: x)
        return y
    }
}

/// Several adapters of one map: each takes the result of those before it for the map.
public struct AdapterChain: LinearAdapter {
    /// The adapters, the first nearest to the map.
    public let adapters: [any LinearAdapter]

    /// A chain.
    public init(_ adapters: [any LinearAdapter]) { self.adapters = adapters }

    /// Parameters by place in the chain.
    public var parameters: ParameterTree {
        var tree = ParameterTree()
        for (index, adapter) in adapters.enumerated() { tree.append(adapter.parameters, under: String(index)) }
        return tree
    }

    /// The outermost adapter's result.
    public func apply(to x: Tensor, base: (Tensor) -> Tensor) -> Tensor {
        result(of: adapters[...], x, base)
    }

    private func result(of rest: ArraySlice<any LinearAdapter>, _ x: Tensor, _ base: (Tensor) -> Tensor) -> Tensor {
        guard let last = rest.last else { return base(x) }
        return last.apply(to: x) { result(of: rest.dropLast(), $0, base) }
    }
}
