public import TensorCore

/// GaLore (Zhao et al. 2024): AdamW whose moments live in a low-rank subspace of each matrix's gradient, found anew every few hundred steps.
public final class GaLore: Optimizer {
    /// Updates done.
    public var stepCount = 0 { didSet { others.stepCount = stepCount } }
    private let rank: Int
    private let interval: Int
    private let scale: Float
    private let betas: (Double, Double, Double)
    private let slots: [Slot]
    private let others: AdamW

    private struct Slot {
        let slot: OptimizerSlot
        /// `[side, rank]`: orthonormal columns over the smaller side of the matrix.
        let projection: Tensor
        let isTall: Bool
        let firstMoment: Tensor
        let secondMoment: Tensor
    }

    /// - Parameters:
    ///   - groups: the trainable parameters of each group.
    ///   - rank: of the subspace.
    ///   - interval: steps between searches.
    ///   - scale: on the update that comes back from the subspace.
    public init(
        _ groups: [ParameterTree], rank: Int = 32, interval: Int = 200, scale: Double = 0.25, beta1: Double = 0.9,
        beta2: Double = 0.999, epsilon: Double = 1e-8
    ) {
        self.rank = rank
        self.interval = interval
        self.scale = Float(scale)
        betas = (beta1, beta2, epsilon)
        slots = OptimizerSlot.all(groups).filter {
            $0.isMatrix && min($0.parameter.shape[0], $0.parameter.shape[1]) > rank
        }.map { slot in
            let (shape, backend) = (slot.parameter.shape, slot.parameter.value.backend)
            let isTall = shape[0] > shape[1]
            let low: Shape = isTall ? [shape[0], rank] : [rank, shape[1]]
            return Slot(
                slot: slot, projection: backend.zeros([min(shape[0], shape[1]), rank]), isTall: isTall,
                firstMoment: backend.zeros(low), secondMoment: backend.zeros(low))
        }
        let own = Set(slots.map { ObjectIdentifier($0.slot.parameter) })
        others = AdamW(
            groups.map { $0.filter { !own.contains(ObjectIdentifier($0.parameter)) } }, beta1: beta1, beta2: beta2,
            epsilon: epsilon)
    }

    /// What the next update depends on.
    public var state: [(name: String, tensor: Tensor)] {
        slots.flatMap {
            [
                ("\($0.slot.path).projection", $0.projection), ("\($0.slot.path).firstMoment", $0.firstMoment),
                ("\($0.slot.path).secondMoment", $0.secondMoment),
            ]
        } + others.state
    }

    /// One update.
    public func step(_ rates: [GroupRate], gradientScale: Double) {
        others.step(rates, gradientScale: gradientScale)
        stepCount = others.stepCount
        let settings = AdamWSettings(
            beta1: betas.0, beta2: betas.1, epsilon: betas.2, step: stepCount, gradientScale: Float(gradientScale))
        for slot in slots {
            guard let gradient = slot.slot.parameter.gradient else { continue }
            let backend = gradient.backend
            if (stepCount - 1) % interval == 0 { search(gradient, slot) }
            let low = backend.empty(slot.firstMoment.shape)
            if slot.isTall {
                product(gradient, false, slot.projection, false, low)
            } else {
                product(slot.projection, true, gradient, false, low)
            }
            // AdamW's own kernel on a zero "parameter" leaves the update, negative, with rate 1.
            let update = backend.zeros(low.shape)
            _ = backend.adamW(
                [
                    AdamWSlice(
                        parameter: update, gradient: low, firstMoment: slot.firstMoment,
                        secondMoment: slot.secondMoment, learningRate: 1, weightDecay: 0)
                ], settings: settings)
            let full = backend.empty(gradient.shape)
            if slot.isTall {
                product(update, false, slot.projection, true, full)
            } else {
                product(slot.projection, false, update, false, full)
            }
            let rate = slot.slot.rate(rates)
            let kept = 1 - rate * slot.slot.decay(rates)
            let (p, u) = (slot.slot.parameter.value.host, full.host)
            for i in 0..<gradient.count { p[i] = p[i] * kept + rate * scale * u[i] }
        }
    }

    private func product(_ a: Tensor, _ ta: Bool, _ b: Tensor, _ tb: Bool, _ c: Tensor) {
        c.backend.product(
            a.matrix, transposeA: ta, b.matrix, transposeB: tb, alpha: 1, bias: nil, into: c.matrix, accumulate: false)
    }

    private func search(_ gradient: Tensor, _ slot: Slot) {
        let part = PrincipalPart(gradient, rank: rank, iterations: 3)
        let vectors = slot.isTall ? part.rightVectors : part.leftVectors
        vectors.withUnsafeBytes { gradient.backend.upload($0, to: slot.projection) }
    }
}
