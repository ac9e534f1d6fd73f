import NeuralNetwork
import Synchronization
import TensorCore

extension VisionLanguageModel {
    /// Bytes of weights up to which every thread may read all of them for itself.
    private static let sharedWeightBytes = 32 << 20
    /// Tokens of a thread below which products leave its time unused.
    private static let leastTokens = 512
    /// Tokens of a thread's part that go through the model at a time, about, times the bytes of a factor: more of what they write is still in
    /// its cache then when it is read.
    private static let pieceBytes = 1_408

    /// Runs a batch forward and backward: gradients of the sum of −log p over the supervised tokens are added to the parameters'.
    ///
    /// Small models are trained in parts of the batch, one a thread, each through the whole model by itself: nobody waits for others at the end
    /// of a kernel, and what a thread has just written is still in its own cache. Products' packed weights serve all of them. The parts'
    /// gradients are added in order, so that equal threads give equal bits (`Backend.dividesSmallSteps` says where). Memory for the parts'
    /// gradients is taken when activations have gone.
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
        let weights = parameters.entries.map(\.parameter.value).filter { $0.dtype == .float32 }
        backend.sideBySide(runs.count, reading: weights) { index in
            func compute() -> Double {
                let tokens = Int(batch.offsets[runs[index].upperBound] - batch.offsets[runs[index].lowerBound])
                let bytes = tokens * model.backend.factorType.byteCount(of: 1)
                return runs[index].pieces(max(1, (bytes + Self.pieceBytes / 2) / Self.pieceBytes)).reduce(0) {
                    total, piece in
                    let sum = model.loss(batch.sequences(piece))
                    sum.backward()
                    return total + Double(sum.scalar)
                }
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
        guard dividesSteps, backend.dividesSmallSteps, threads > 1, expectedGradientBytes > 0,
            vision == nil || trainsTower,
            batch.tokenCount >= threads * Self.leastTokens, 4 * parameters.count <= Self.sharedWeightBytes,
            expectedGradientBytes * threads <= keptBytes(batch)
        else { return nil }
        return batch.divided(into: threads)
    }
}

extension Range<Int> {
    /// About equal pieces, none of them empty.
    fileprivate func pieces(_ wanted: Int) -> [Range<Int>] {
        let count = Swift.min(wanted, self.count)
        return (0..<count).map {
            lowerBound + self.count * $0 / count..<lowerBound + self.count * ($0 + 1) / count
        }
    }
}
