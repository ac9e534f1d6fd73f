#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The learning rate as a function of the step: a linear rise, then a fall.
public struct Schedule: Hashable, Sendable {
    /// How the rate falls after the warmup.
    public enum Decay: String, Sendable, CaseIterable {
        case cosine
        case linear
        case constant
    }

    /// Highest rate.
    public let peak: Double
    /// Steps of the rise. As in `transformers`, step 0 has rate 0 when there is a warmup.
    public let warmupSteps: Int
    /// All steps of the stage.
    public let totalSteps: Int
    /// The fall.
    public let decay: Decay
    /// Share of the peak at which the fall ends.
    public let floor: Double

    /// A schedule whose warmup is a share of all steps, rounded up.
    public init(peak: Double, warmup: Double, totalSteps: Int, decay: Decay, floor: Double = 0) {
        self.peak = peak
        warmupSteps = Int((warmup * Double(totalSteps)).rounded(.up))
        self.totalSteps = totalSteps
        self.decay = decay
        self.floor = floor
    }

    /// The rate of step `step`, counted from 0.
    public func rate(at step: Int) -> Double {
        if step < warmupSteps { return peak * Double(step) / Double(max(1, warmupSteps)) }
        let progress = Double(step - warmupSteps) / Double(max(1, totalSteps - warmupSteps))
        let share =
            switch decay {
            case .constant: 1.0
            case .linear: max(0, 1 - progress)
            case .cosine: max(0, 0.5 * (1 + cos(Double.pi * min(progress, 1))))
            }
        return peak * (floor + (1 - floor) * share)
    }
}
