public import TensorCore

/// The gradients of all trainable parameters between a backward pass and the update.
///
/// Each has memory of its own from its first contribution on, and gives it back when the update is done: the backward pass frees
/// activations while gradients arrive, so the two are never in memory together, which a standing block for all gradients would
/// have cost.
public final class GradientBuffer {
    /// The parameters, in tree order.
    public let parameters: [Parameter]

    /// The gradients of `parameters`.
    public init(_ parameters: [Parameter]) { self.parameters = parameters }

    /// Forgets all gradients and gives their memory back.
    public func clear() {
        for parameter in parameters { parameter.dropGradient() }
    }

    /// Bytes of the gradients that arrived.
    public var byteCount: Int {
        parameters.reduce(0) { sum, parameter in
            sum + (parameter.gradient.map { $0.dtype.byteCount(of: $0.count) } ?? 0)
        }
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
