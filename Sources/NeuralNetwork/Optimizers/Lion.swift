public import TensorCore

/// Lion (Chen et al. 2023): the sign of a mix of momentum and gradient; one moment instead of two.
public final class Lion: Optimizer {
    /// Updates done.
    public var stepCount = 0
    private let beta1: Float
    private let beta2: Float
    private let slots: [(slot: OptimizerSlot, moment: Tensor)]

    /// - Parameter groups: the trainable parameters of each group.
    public init(_ groups: [ParameterTree], beta1: Double = 0.9, beta2: Double = 0.99) {
        (self.beta1, self.beta2) = (Float(beta1), Float(beta2))
        slots = OptimizerSlot.all(groups).map { ($0, $0.parameter.value.backend.zeros($0.parameter.shape)) }
    }

    /// What the next update depends on.
    public var state: [(name: String, tensor: Tensor)] { slots.map { ("\($0.slot.path).moment", $0.moment) } }

    /// One update.
    public func step(_ rates: [GroupRate], gradientScale: Double) {
        stepCount += 1
        let scale = Float(gradientScale)
        for (slot, moment) in slots {
            guard let gradient = slot.parameter.gradient else { continue }
            let (p, g, m) = (slot.parameter.value.host, gradient.host, moment.host)
            let rate = slot.rate(rates)
            let kept = 1 - rate * slot.decay(rates)
            for i in 0..<slot.parameter.count {
                let own = g[i] * scale
                let mix = m[i] + (own - m[i]) * (1 - beta1)
                let sign: Float = mix > 0 ? 1 : mix < 0 ? -1 : 0
                p[i] = p[i] * kept - rate * sign
                m[i] += (own - m[i]) * (1 - beta2)
            }
        }
    }
}
