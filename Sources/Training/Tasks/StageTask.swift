import NeuralNetwork
import TensorCore

/// What a stage does with its data: where batches come from, and their loss.
///
/// The trainer's loop is the same for all stages; only this differs between conversations, plain texts and contrastive pairs.
protocol StageTask: AnyObject {
    /// Optimizer steps of the stage.
    var totalSteps: Int { get }
    /// Optimizer steps of one pass over the data.
    var stepsPerEpoch: Double { get }
    /// Place in the data after the last batch, to continue from.
    var position: Int { get }
    /// Parameters that exist for this stage only, such as a contrastive head.
    var extraParameters: ParameterTree { get }
    /// Seconds spent waiting for data so far.
    var waitSeconds: Double { get }
    /// Records left out, replaced and cut so far.
    var counts: DataCounts { get }

    /// Loads the next batch, runs it forward and backward, and says what it amounted to; nil when the data is used up.
    ///
    /// Gradients are of the loss's sum; dividing by `StepLoss.weight` makes them those of the mean, however the batch was divided.
    func step() throws -> StepLoss?
}

/// A task whose step is one backward pass, so that an optimizer can work inside it.
protocol FusableTask: StageTask {
    /// Called before the backward pass with what its gradients are divided by.
    var willBackward: ((Double) -> Void)? { get set }
}

/// A task that can run the samples of each data source by themselves, for methods that tell sources apart.
protocol DividableTask: StageTask {
    /// Called before the samples of a data source run, with its place in the stage's data; nil runs all together.
    var willRunSource: ((Int) -> Void)? { get set }
}

/// The loss of one optimizer step.
struct StepLoss {
    /// Sum over what is averaged.
    var sum: Double
    /// What the sum is divided by: supervised tokens, or 1.
    var weight: Double
    /// Tokens computed, visual ones included.
    var tokens: Int
    /// Pictures seen.
    var pictures: Int

    /// The mean.
    var mean: Double { sum / weight }
}

/// What happened to records that were not used as they are.
public struct DataCounts: Sendable, Equatable {
    /// Samples used.
    public var samples = 0
    /// Broken records.
    public var rejected = 0
    /// Broken records that another took the place of.
    public var replaced = 0
    /// Samples cut to the longest sequence.
    public var truncated = 0
    /// Tokens cut.
    public var cutTokens = 0
}
