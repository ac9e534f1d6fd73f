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
        slots.flatMap { [("\($0.path).firstMoment", $0.firstMoment), ("\($0.path).secondMoment", $0.secondMoment)] }
    }

    /// One update.
    public func step(_ rates: [GroupRate], gradientScale: Double) {
        stepCount += 1
        let slices = slots.compactMap { slot -> AdamWSlice? in
            guard let gradient = slot.parameter.gradient else { return nil }
            let rate = rates[slot.group]
            return AdamWSlice(
                parameter: slot.parameter.value, gradient: gradient, firstMoment: slot.firstMoment,
                secondMoment: slot.secondMoment, learningRate: Float(rate.learningRate),
                weightDecay: slot.parameter.decays ? Float(rate.weightDecay) : 0)
        }
        guard let backend = slices.first?.parameter.backend else { return }
        backend.adamW(
            slices,
            settings: AdamWSettings(
                beta1: beta1, beta2: beta2, epsilon: epsilon, step: stepCount,
                gradientScale: Float(gradientScale)))
    }
}
