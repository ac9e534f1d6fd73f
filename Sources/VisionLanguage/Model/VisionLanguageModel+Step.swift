import NeuralNetwork
import Synchronization
import TensorCore

extension VisionLanguageModel {
    /// Bytes of weights up to which every thread may read all of them for itself.
    private static let sharedWeightBytes = 32 << 20
    /// Tokens below which products leave a thread's time unused.
    private static let leastTokens = 256

    /// Runs a batch forward and backward: gradients of the sum of −log p over the supervised tokens are added to the parameters'.
    ///
    /// Small models are trained in parts of the batch, one a thread, each through the whole model by itself: nobody waits for others at the end
    /// of a kernel, and what a thread has just written is still in its own cache. The parts' gradients are added in order, so that equal
    /// threads give equal bits. Memory for the parts' gradients is taken when activations have gone.
    ///
    /// - Parameter willBackward: called between the two passes, by those who use gradients up while they arrive; all is one part then.
    /// - Returns: the sum.
    public func addGradients(of batch: PackedBatch, willBackward: (() -> Void)? = nil) -> Double {
        guard willBackward == nil, let runs = parts(of: batch) else {
            let sum = loss(batch)
            willBackward?()
            sum.backward()
            return Double(sum.scalar)
        }
        let lanes = runs.dropFirst().map { _ in GradientLane() }
        let sums = Mutex([Double](repeating: 0, count: runs.count))
        nonisolated(unsafe) let model = self  // only read, but for the gradients, of which every lane has its own
        backend.sideBySide(runs.count) { index in
            func compute() -> Double {
                let sum = model.loss(batch.sequences(runs[index]))
                sum.backward()
                return Double(sum.scalar)
            }
            let sum = index == 0 ? compute() : lanes[index - 1].run(compute)
            sums.withLock { $0[index] = sum }
        }
        GradientLane.add(lanes, to: parameters.trainable.entries.map(\.parameter), on: backend)
        return sums.withLock { $0.reduce(0, +) }
    }

    /// Runs of sequences to compute side by side, one a thread; nil where the batch is better computed by all threads together.
    private func parts(of batch: PackedBatch) -> [Range<Int>]? {
        let threads = backend.threads
        // A frozen tower's features may lie on disk, which shall not change a run's bits: such a step is never divided.
        guard dividesSteps, threads > 1, expectedGradientBytes > 0, vision == nil || trainsTower,
            batch.tokenCount >= threads * Self.leastTokens, 4 * parameters.count <= Self.sharedWeightBytes,
            expectedGradientBytes * threads <= keptBytes(batch)
        else { return nil }
        return batch.divided(into: threads)
    }
}
