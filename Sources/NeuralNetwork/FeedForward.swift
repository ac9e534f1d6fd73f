public import TensorCore

/// Two linear maps with an activation between: the vision tower's feed-forward, and the `mlp2x_gelu` projector.
public final class MLP: ResidualLayer {
    let first: Linear
    let second: Linear
    let activation: Activation

    /// A feed-forward over existing maps.
    public init(first: Linear, second: Linear, activation: Activation) {
        self.first = first
        self.second = second
        self.activation = activation
    }

    /// A new feed-forward with biases; `gain` scales the map back into the residual stream.
    public convenience init(
        hiddenSize: Int, intermediateSize: Int, activation: Activation, gain: Float = 1,
        _ initializer: Initializer
    ) {
        self.init(
            first: Linear(
                inputs: hiddenSize, outputs: intermediateSize, hasBias: true, initializer),
            second: Linear(
                inputs: intermediateSize, outputs: hiddenSize, hasBias: true, gain: gain, initializer),
            activation: activation)
    }

    /// Parameters by path.
    public var parameters: ParameterTree { ["first": first, "second": second] }

    /// Applies the layer to the last axis.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        second(inner(x))
    }

    /// residual + the layer's result.
    public func added(to residual: Tensor, _ x: Tensor) -> Tensor { second.added(to: residual, inner(x)) }

    /// Whether only products read the layer's input.
    public var takesFactors: Bool { first.takesFactors }

    private func inner(_ x: Tensor) -> Tensor { first.activated(activation, x, asFactor: second.takesFactors) }
}

/// down(activation(gate(x)) ⊙ up(x)), the decoder's feed-forward (Shazeer 2020).
public final class GatedMLP: ResidualLayer {
    let gate: Linear
    let up: Linear
    let down: Linear
    let activation: Activation

    /// A new feed-forward; gate and up stand side by side in memory, `gain` scales the map back into the residual stream.
    public init(
        hiddenSize: Int, intermediateSize: Int, activation: Activation, hasBias: Bool, gain: Float = 1,
        _ initializer: Initializer
    ) {
        func map(_ inputs: Int, _ outputs: Int, _ gain: Float = 1) -> Linear {
            Linear(inputs: inputs, outputs: outputs, hasBias: hasBias, gain: gain, initializer)
        }
        gate = map(hiddenSize, intermediateSize)
        up = map(hiddenSize, intermediateSize)
        down = map(intermediateSize, hiddenSize, gain)
        self.activation = activation
        initializer.makeAdjacent([gate.weight, up.weight])
        initializer.makeAdjacent([gate.bias, up.bias])
    }

    /// Parameters by path.
    public var parameters: ParameterTree { ["gate": gate, "up": up, "down": down] }

    /// Applies the layer to the last axis.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        down(inner(x))
    }

    /// residual + the layer's result.
    public func added(to residual: Tensor, _ x: Tensor) -> Tensor { down.added(to: residual, inner(x)) }

    /// Whether only products read the layer's input.
    public var takesFactors: Bool { gate.takesFactors && up.takesFactors }

    private func inner(_ x: Tensor) -> Tensor {
        gatedActivation(activation, Linear.together([gate, up], x, asFactor: true), asFactor: down.takesFactors)
    }
}
