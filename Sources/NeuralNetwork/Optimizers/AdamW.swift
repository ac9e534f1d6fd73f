public import TensorCore

/// Settings of one group of parameters at one step.
public struct GroupRate: Sendable {
    /// Learning rate.
    public let learningRate: Double
    /// Decoupled weight decay, for parameters that decay.
    public let weightDecay: Double

    /// A group's settings.
    public init(learningRate: Double, weightDecay: Double) {
        self.learningRate = learningRate
        self.weightDecay = weightDecay
    }
}

/// Something that changes parameters by their gradients and can be stopped and continued.
public protocol Optimizer: AnyObject {
    /// One update. `rates` has one entry for each parameter group; gradients are multiplied by `gradientScale` first.
    func step(_ rates: [GroupRate], gradientScale: Double)
    /// Updates done.
    var stepCount: Int { get set }
    /// Everything besides `stepCount` that the next update depends on, by name, in a fixed order.
    var state: [(name: String, tensor: Tensor)] { get }
}

/// AdamW (Loshchilov & Hutter 2019), as `torch.optim.AdamW` computes it.
public final class AdamW: Optimizer {
    /// Decay of the first moment.
    public let beta1: Double
    /// Decay of the second moment.
    public let beta2: Double
    /// Added to the root of the second moment.
    public let epsilon: Double
    /// Updates done.
    public var stepCount = 0

    private struct Slot {
        let path: String
        let parameter: Parameter
        let group: Int
        let firstMoment: Tensor
        let secondMoment: Tensor
    }

    private let slots: [Slot]
    /// The last update, while other threads may still be at it.
    private var pending: (any PendingUpdate)?

    /// - Parameter groups: the trainable parameters of each group.
    public init(_ groups: [ParameterTree], beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8) {
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        slots = groups.enumerated().flatMap { index, tree in
            tree.entries.map { entry in
                let backend = entry.parameter.value.backend
                return Slot(
                    path: entry.path, parameter: entry.parameter, group: index,
                    firstMoment: backend.zeros(entry.parameter.shape),
                    secondMoment: backend.zeros(entry.parameter.shape))
            }
        }
    }

    /// Moments by parameter.
    public var state: [(name: String, tensor: Tensor)] {
        finish()
        return slots.flatMap {
            [("\($0.path).firstMoment", $0.firstMoment), ("\($0.path).secondMoment", $0.secondMoment)]
        }
    }

    /// One update. Parameters' values wait for what is still under way of it.
    public func step(_ rates: [GroupRate], gradientScale: Double) {
        finish()
        stepCount += 1
        let changes = slots.compactMap { slot -> (parameter: Parameter, slice: AdamWSlice)? in
            guard let gradient = slot.parameter.gradient else { return nil }
            let rate = rates[slot.group]
            let slice = AdamWSlice(
                parameter: slot.parameter.value, gradient: gradient, firstMoment: slot.firstMoment,
                secondMoment: slot.secondMoment, learningRate: Float(rate.learningRate),
                weightDecay: slot.parameter.decays ? Float(rate.weightDecay) : 0)
            return (slot.parameter, slice)
        }
        guard let backend = changes.first?.slice.parameter.backend else { return }
        pending = backend.adamW(
            changes.map(\.slice),
            settings: AdamWSettings(
                beta1: beta1, beta2: beta2, epsilon: epsilon, step: stepCount,
                gradientScale: Float(gradientScale)))
        guard let pending else { return }
        for (index, change) in changes.enumerated() {
            change.parameter.expect(pending, slice: index, reading: change.slice.gradient)
        }
    }

    /// Waits for the last update, of which nobody keeps anything then: there is room for one at a time.
    private func finish() {
        guard pending != nil else { return }
        for slot in slots { slot.parameter.settle() }
        pending = nil
    }
}
