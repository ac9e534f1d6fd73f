public import Basics

/// What tuning a stage by one method takes, measured on its first batches.
public struct MethodEstimate: Sendable {
    /// The method's name, with the optimizer where it is not AdamW.
    public var name: String
    /// Weights that are trained.
    public var trainable = 0
    /// Weights in all, those that the method adds included.
    public var parameters = 0
    /// Bytes of the weights, quantised where the method does so.
    public var weightBytes = 0
    /// Bytes of gradients kept between backward pass and update.
    public var gradientBytes = 0
    /// Bytes of the optimizer's state.
    public var optimizerBytes = 0
    /// Most bytes of everything else during a step: activations, and gradients on their way.
    public var activationBytes = 0
    /// Median seconds of a step.
    public var stepSeconds = 0.0
    /// Tokens of a step.
    public var tokens = 0
    /// Why it does not fit; then nothing was measured.
    public var obstacle: String?

    init(name: String) { self.name = name }

    /// All bytes together.
    public var bytes: Int { weightBytes + gradientBytes + optimizerBytes + activationBytes }

    /// One line of results.
    public var json: JSON {
        if let obstacle { return ["method": .string(name), "obstacle": .string(obstacle)] }
        return [
            "method": .string(name), "trainable": .int(trainable), "parameters": .int(parameters),
            "weight_bytes": .int(weightBytes), "gradient_bytes": .int(gradientBytes),
            "optimizer_bytes": .int(optimizerBytes), "activation_bytes": .int(activationBytes), "bytes": .int(bytes),
            "step_s": .number(stepSeconds), "tokens": .int(tokens),
        ]
    }
}

/// Counts the bytes of tensors that are alive.
public struct MemoryMeter {
    let used: () -> Int
    let peak: () -> Int
    let reset: () -> Void

    /// A meter over a back end's own counters.
    public init(used: @escaping () -> Int, peak: @escaping () -> Int, reset: @escaping () -> Void) {
        (self.used, self.peak, self.reset) = (used, peak, reset)
    }
}
