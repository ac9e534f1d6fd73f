public import TensorCore

/// LOMO (Lv et al. 2023): plain gradient descent fused into the backward pass; neither gradients nor moments are kept.
///
/// With `adaptive`, AdaLomo (Lv et al. 2023b): factored second moments as in Adafactor, and updates relative to the parameter's size.
/// A limit on gradients applies to each parameter by itself, since the norm of all is known only when all are used up.
public final class Lomo: FusedOptimizer {
    /// Updates done.
    public var stepCount = 0
    private let slots: [OptimizerSlot]
    private let moments: [FactoredMoments]
    private let limit: Double?
    private var rates: [GroupRate] = []
    private var scale = 1.0
    private var squares = 0.0

    /// - Parameters:
    ///   - groups: the trainable parameters of each group.
    ///   - limit: largest norm of one parameter's gradient.
    public init(_ groups: [ParameterTree], adaptive: Bool, limit: Double? = nil) {
        slots = OptimizerSlot.all(groups)
        moments = adaptive ? slots.map { FactoredMoments($0) } : []
        self.limit = limit
        for (index, slot) in slots.enumerated() {
            slot.parameter.onGradientComplete = { [unowned self] in use($0, index) }
        }
    }

    deinit { for slot in slots { slot.parameter.onGradientComplete = nil } }

    /// What the next update depends on.
    public var state: [(name: String, tensor: Tensor)] { moments.flatMap(\.state) }

    /// √Σ g² of the last pass.
    public var gradientNorm: Double { squares.squareRoot() }

    /// A backward pass follows.
    public func begin(_ rates: [GroupRate], gradientScale: Double) {
        stepCount += 1
        self.rates = rates
        scale = gradientScale
        squares = 0
    }

    /// The parameters have been changed already.
    public func step(_ rates: [GroupRate], gradientScale: Double) {}

    private func use(_ parameter: Parameter, _ index: Int) {
        guard let gradient = parameter.gradient, !rates.isEmpty else { return }
        let square = gradient.backend.sumOfSquares([gradient])
        squares += square
        defer { parameter.dropGradient() }
        // A gradient that is not a number would end the weights; the run is told by the norm.
        guard square.isFinite else { return }
        let factor = scale * GradientBuffer.clipFactor(norm: square.squareRoot() * scale, limit: limit)
        if !moments.isEmpty {
            moments[index].update(gradient, rates, gradientScale: factor, step: stepCount)
            return
        }
        let slot = slots[index]
        let (p, g) = (parameter.value.host, gradient.host)
        let (rate, kept) = (slot.rate(rates) * Float(factor), 1 - slot.rate(rates) * slot.decay(rates))
        for i in 0..<parameter.count { p[i] = p[i] * kept - rate * g[i] }
    }
}
