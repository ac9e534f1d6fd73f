public import TensorCore

/// Layer normalisation (Ba et al. 2016), the vision tower's norm.
public final class LayerNorm: Layer {
    let weight: Parameter
    let bias: Parameter
    let epsilon: Float

    /// A norm over `columns` columns.
    public init(columns: Int, epsilon: Float, _ initializer: Initializer) {
        weight = initializer.constant([columns], 1)
        bias = initializer.constant([columns], 0)
        self.epsilon = epsilon
    }

    /// Parameters by path.
    public var parameters: ParameterTree { ["weight": weight, "bias": bias] }

    /// Applies the layer to the last axis.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        layerNorm(x, weight: weight.tensor, bias: bias.tensor, epsilon: epsilon)
    }

    /// The result for products alone.
    public func factor(_ x: Tensor) -> Tensor {
        layerNorm(x, weight: weight.tensor, bias: bias.tensor, epsilon: epsilon, asFactor: true)
    }
}

/// Root-mean-square normalisation (Zhang & Sennrich 2019), the decoder's norm.
public final class RMSNorm: Layer {
    let weight: Parameter
    let epsilon: Float
    private let ones: Tensor?

    /// A norm over `columns` columns.
    ///
    /// - Parameter addsOne: whether the weight is kept less one (Gemma).
    public init(columns: Int, epsilon: Float, addsOne: Bool = false, _ initializer: Initializer) {
        weight = initializer.constant([columns], addsOne ? 0 : 1)
        self.epsilon = epsilon
        let shape: Shape = [columns]
        ones =
            addsOne
            ? Tensor([Float](repeating: 1, count: columns), shape: shape, on: initializer.backend) : nil
    }

    /// Parameters by path.
    public var parameters: ParameterTree { ["weight": weight] }

    /// Applies the layer to the last axis.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        rmsNorm(x, weight: factors, epsilon: epsilon)
    }

    /// The result for products alone.
    public func factor(_ x: Tensor) -> Tensor { rmsNorm(x, weight: factors, epsilon: epsilon, asFactor: true) }

    var factors: Tensor { ones.map { weight.tensor + $0 } ?? weight.tensor }
}
