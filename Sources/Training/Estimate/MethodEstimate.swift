public import Basics

/// What tuning a stage by one method takes, measured on its first batches.
public struct MethodEstimate: Sendable {
    /// The method's name.
    public var name: String
    /// Weights that are trained.
    public var trainable = 0
    /// Weights in all, those that the method adds included.
    public var parameters = 0
    /// Bytes of the weights, quantised where the method does so.
    public var weightBytes = 0
    /// Bytes of gradients between backward pass and update.
    public var gradientBytes = 0
    /// Bytes of the optimizer's state.
    public var optimizerBytes = 0
    /// Most bytes of tensors during a step beyond weights, optimizer and all gradients: activations, as far as they are in memory
    /// together with gradients.
    public var activationBytes = 0
    /// Bytes of processed pictures that a whole run keeps.
    public var pictureBytes = 0
    /// Bytes of everything else: the program, the data's index, the model's file while it is opened.
    public var processBytes = 0
    /// Median seconds of a step.
    public var stepSeconds = 0.0
    /// Median seconds of a step that threads computed, all together: other programs do not show in it.
    public var processorSeconds = 0.0
    /// Tokens of a step.
    public var tokens = 0
    /// Steps of the whole stage.
    public var totalSteps = 0
    /// Why it does not fit; then nothing was measured.
    public var obstacle: String?

    /// Nothing measured yet.
    public init(name: String) { self.name = name }

    /// All bytes together: the most that a run takes.
    public var bytes: Int {
        weightBytes + gradientBytes + optimizerBytes + activationBytes + pictureBytes + processBytes
    }

    /// Seconds of all steps of the stage; evaluations and checkpoints come on top.
    public var runSeconds: Double { stepSeconds * Double(totalSteps) }

    /// One line of results.
    public var json: JSON {
        if let obstacle { return ["method": .string(name), "obstacle": .string(obstacle)] }
        return [
            "method": .string(name), "trainable": .int(trainable), "parameters": .int(parameters),
            "weight_bytes": .int(weightBytes), "gradient_bytes": .int(gradientBytes),
            "optimizer_bytes": .int(optimizerBytes), "activation_bytes": .int(activationBytes),
            "picture_bytes": .int(pictureBytes), "process_bytes": .int(processBytes), "bytes": .int(bytes),
            "step_s": .number(stepSeconds), "processor_s": .number(processorSeconds), "tokens": .int(tokens),
            "steps": .int(totalSteps), "run_s": .number(runSeconds),
        ]
    }

    /// Reads one line of results back.
    public init(json: JSON) {
        self.init(name: json["method"]?.string ?? "")
        func number(_ key: String) -> Int { json[key]?.int ?? 0 }
        trainable = number("trainable")
        parameters = number("parameters")
        weightBytes = number("weight_bytes")
        gradientBytes = number("gradient_bytes")
        optimizerBytes = number("optimizer_bytes")
        activationBytes = number("activation_bytes")
        pictureBytes = number("picture_bytes")
        processBytes = number("process_bytes")
        stepSeconds = json["step_s"]?.double ?? 0
        processorSeconds = json["processor_s"]?.double ?? 0
        tokens = number("tokens")
        totalSteps = number("steps")
        obstacle = json["obstacle"]?.string
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
