public import TensorCore

/// One flat block that holds the gradients of all trainable parameters.
///
/// A norm, a clearing or an all-reduce is then a call on a block instead of one for each of hundreds of tensors.
public final class GradientBuffer {
    /// The parameters, in tree order.
    public let parameters: [Parameter]
    /// All gradients, one after another.
    public let flat: Tensor

    /// Allocates and hands each parameter its slice.
    public init(_ parameters: [Parameter], on backend: any Backend) {
        self.parameters = parameters
        flat = backend.zeros([parameters.reduce(0) { $0 + $1.count }])
        var start = 0
        for parameter in parameters {
            parameter.placeGradient(in: flat.rows(start..<start + parameter.count))
            start += parameter.count
        }
    }

    /// Begins a new step.
    public func clear() {
        for parameter in parameters { parameter.clearGradient() }
    }

    /// √Σ g² over the gradients that arrived.
    public var norm: Double {
        let gradients = parameters.compactMap(\.gradient)
        guard let first = gradients.first else { return 0 }
        return first.backend.sumOfSquares(gradients).squareRoot()
    }

    /// The factor that brings the norm under `limit`, as `torch.nn.utils.clip_grad_norm_` computes it.
    public static func clipFactor(norm: Double, limit: Double?) -> Double {
        guard let limit else { return 1 }
        return min(1, limit / (norm + 1e-6))
    }
}
