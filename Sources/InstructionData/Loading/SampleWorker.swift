import Basics

/// What became of one position.
struct Outcome: Sendable {
    var position: Int
    var sample: Sample?
    var rejection: Rejection?
    var repairs: [Repair]
}

/// The work of one position, called on any thread.
struct SampleWorker: Sendable {
    let source: SampleSource
    let order: TrainingOrder
    let policy: FaultPolicy

    /// How many other records are tried in place of a broken one.
    private static let replacementAttempts = 100

    func outcome(at position: Int) -> Outcome {
        let index = order[position]
        var repairs: [Repair] = []
        do {
            let sample = try source.sample(at: position, index: index, repairs: &repairs)
            return Outcome(position: position, sample: sample, rejection: nil, repairs: repairs)
        } catch {
            let (reason, fix) = SampleSource.words(of: error)
            var rejection = Rejection(
                position: position, index: index, path: source.datasets[index.component].path, reason: reason, fix: fix)
            guard case .replace = policy else {
                return Outcome(position: position, sample: nil, rejection: rejection, repairs: [])
            }
            let sample = replacement(for: position, index: index, repairs: &repairs)
            rejection.replacement = sample?.index
            return Outcome(position: position, sample: sample, rejection: rejection, repairs: repairs)
        }
    }

    /// Another sample of the same epoch, drawn from seed and position: the same on every run and thread.
    private func replacement(for position: Int, index: SampleIndex, repairs: inout [Repair]) -> Sample? {
        let stream = RandomStream.mixed(RandomStream.replacement, UInt64(position))
        var generator = RandomGenerator(seed: order.seed, stream: stream)
        for _ in 0..<Self.replacementAttempts {
            let other = order[index.epoch * order.samplesPerEpoch + generator.below(order.samplesPerEpoch)]
            repairs = []
            if let sample = try? source.sample(at: position, index: other, repairs: &repairs) { return sample }
        }
        return nil
    }
}
