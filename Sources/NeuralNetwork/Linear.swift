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
    var takesFactors: Bool { adapter == nil || (adapter as? any LowRankLinearAdapter)?.takesFactors == true }

    /// Whether the map is its weights and bias and nothing else.
    package var isPlain: Bool { adapter == nil && weight.source == nil }

    /// Whether nothing but low-rank products is attached to the map.
    private var isAdditive: Bool { adapter == nil || adapter is any LowRankLinearAdapter }

    /// residual + the map's result, in one kernel where nothing but low-rank products is attached to the map.
    func added(to residual: Tensor, _ x: Tensor) -> Tensor {
        guard isAdditive else { return residual + self(x) }
        let groups = Self.lowRankGroups([self], x)
        guard let source = weight.source else {
            return linear(x, weight: weight.tensor, bias: bias?.tensor, addedTo: residual, adding: groups)
        }
        return linear(x, source: source, bias: bias?.tensor, addedTo: residual, adding: groups)
    }

    /// function(the map's result), in one kernel where nothing is attached to the map and nobody wants gradients.
    func activated(_ function: Activation, _ x: Tensor, asFactor: Bool) -> Tensor {
        guard isPlain else {
            return activation(function, Self.together([self], x, asFactor: true), asFactor: asFactor)
        }
        return activatedLinear(function, x, weight: weight.tensor, bias: bias?.tensor, asFactor: asFactor)
    }

    /// Several maps of one input, results side by side; one product when adapters only add to it.
    ///
    /// - Parameter asFactor: as in `TensorCore.linear`; without effect where something else than low-rank products is attached.
    public static func together(_ maps: [Linear], _ x: Tensor, asFactor: Bool = false) -> Tensor {
        if maps.allSatisfy(\.isAdditive) { return plain(maps, x, asFactor: asFactor, adding: lowRankGroups(maps, x)) }
        let parts = maps.map { map in
            map.adapter.map { $0.apply(to: x) { plain([map], $0) } } ?? plain([map], x)
        }
        return parts.count == 1 ? parts[0] : joinedColumns(parts)
    }

    /// The maps without adapters but for low-rank products that are added.
    private static func plain(
        _ maps: [Linear], _ x: Tensor, asFactor: Bool = false, adding groups: [LowRankGroup] = []
    ) -> Tensor {
        let biases = maps.map { $0.bias?.tensor }
        guard maps.contains(where: { $0.weight.source != nil }) else {
            return linear(x, weights: maps.map(\.weight.tensor), biases: biases, asFactor: asFactor, adding: groups)
        }
        let sources = maps.compactMap(\.weight.source)
        if maps.count == 1 { return linear(x, source: sources[0], bias: biases[0], asFactor: asFactor, adding: groups) }
        if sources.count == maps.count, maps.allSatisfy({ $0.bias == nil }) {
            return linear(x, sources: sources, asFactor: asFactor, adding: groups)
        }
        var y = joinedColumns(maps.map { plain([$0], x) })
        for group in groups { addLowRank(to: &y, group) }
        return y
    }

    /// What low-rank adapters add to the results of maps side by side: one group for all that read x as it is.
    private static func lowRankGroups(_ maps: [Linear], _ x: Tensor) -> [LowRankGroup] {
        var (shared, others): ([LowRankProduct], [LowRankGroup]) = ([], [])
        var start = 0
        for map in maps {
            let columns = start..<start + map.outputs
            start = columns.upperBound
            guard let adapter = map.adapter as? any LowRankLinearAdapter else { continue }
            if let input = adapter.dropped(x) {
                others.append(LowRankGroup(input, adapter.products(columns)))
            } else {
                shared += adapter.products(columns)
            }
        }
        return shared.isEmpty ? others : [LowRankGroup(x, shared)] + others
    }
}

/// A tuning method at one linear map: LoRA, (IA)³ and the like. No model file knows of them.
public protocol LinearAdapter: Module {
    /// The adapted map's result; `base` is the map as it stands.
    func apply(to x: Tensor, base: (Tensor) -> Tensor) -> Tensor
}

/// An adapter that adds low-rank products: those of several maps of one input are one, and part of the maps' own.
public protocol LowRankLinearAdapter: LinearAdapter {
    /// The products, for columns of the results of several maps side by side.
    func products(_ columns: Range<Int>) -> [LowRankProduct]
    /// The input with elements dropped; nil where the products read it as it is.
    func dropped(_ x: Tensor) -> Tensor?
    /// Whether the input may be of the back end's `factorType`.
    var takesFactors: Bool { get }
}

extension LowRankLinearAdapter {
    /// Nothing is dropped.
    public func dropped(_ x: Tensor) -> Tensor? { nil }
    /// Products take every input.
    public var takesFactors: Bool { true }

    /// The map's result with what the adapter adds.
    public func apply(to x: Tensor, base: (Tensor) -> Tensor) -> Tensor {
        var y = base(x)
        addLowRank(to: &y, LowRankGroup(dropped(x) ?? x, products(0..<y.shape.columns)))
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
