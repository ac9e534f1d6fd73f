import Basics
import Synchronization

/// The order in which a mixture is shown over any number of epochs: a pure function of mixture, seed and position.
///
/// Position `p` is sample `p mod samplesPerEpoch` of epoch `p / samplesPerEpoch`. Any position can be asked for at
/// once, so a resumed run goes on exactly where it stopped. Safe to read from many threads.
public final class TrainingOrder: Sendable {
    /// What is mixed.
    public let mixture: Mixture
    /// The seed of every choice.
    public let seed: UInt64
    /// Whether samples are shuffled; file order, data set by data set, when false.
    public let shuffles: Bool
    /// Samples in one epoch.
    public let samplesPerEpoch: Int

    private let quotas: [Int]
    private let selected: [ContiguousArray<UInt32>]
    private let cache = Mutex<[Epoch]>([])

    private struct Epoch: Sendable {
        var number: Int
        var samples: ContiguousArray<UInt64>
    }

    /// Prepares an order.
    public init(_ mixture: Mixture, seed: UInt64, shuffles: Bool = true) {
        self.mixture = mixture
        self.seed = seed
        self.shuffles = shuffles
        quotas = mixture.quotas()
        samplesPerEpoch = quotas.reduce(0, +)
        selected = mixture.components.enumerated().map { index, component in
            component.selection.positions(
                of: component.count, seed: seed, stream: RandomStream.mixed(RandomStream.selection, UInt64(index)))
        }
    }

    /// The record at a position, counted over all epochs from 0.
    public subscript(position: Int) -> SampleIndex {
        precondition(position >= 0, "position \(position)")
        let epoch = position / samplesPerEpoch
        let packed = samples(of: epoch)[position % samplesPerEpoch]
        return SampleIndex(component: Int(packed >> 32), record: Int(packed & 0xFFFF_FFFF), epoch: epoch)
    }

    /// All samples of one epoch in order.
    public func epoch(_ number: Int) -> [SampleIndex] {
        samples(of: number).map {
            SampleIndex(component: Int($0 >> 32), record: Int($0 & 0xFFFF_FFFF), epoch: number)
        }
    }

    /// The epochs at hand are this one and its neighbour: loading ahead crosses from one to the next.
    private func samples(of number: Int) -> ContiguousArray<UInt64> {
        cache.withLock { epochs in
            if let found = epochs.first(where: { $0.number == number }) { return found.samples }
            let made = Epoch(number: number, samples: makeEpoch(number))
            epochs.append(made)
            if epochs.count > 2 { epochs.removeFirst() }
            return made.samples
        }
    }

    private func makeEpoch(_ number: Int) -> ContiguousArray<UInt64> {
        var samples: ContiguousArray<UInt64> = []
        samples.reserveCapacity(samplesPerEpoch)
        for component in quotas.indices {
            let records = selected[component]
            guard quotas[component] > 0, !records.isEmpty else { continue }
            // The component's endless row of passes; this epoch takes [start, start + quota) of it.
            var position = number * quotas[component]
            var left = quotas[component]
            while left > 0 {
                let pass = position / records.count
                let first = position % records.count
                let taken = min(left, records.count - first)
                for record in self.pass(pass, of: component)[first..<(first + taken)] {
                    samples.append(UInt64(component) << 32 | UInt64(record))
                }
                position += taken
                left -= taken
            }
        }
        if shuffles {
            var generator = RandomGenerator(seed: seed, stream: RandomStream.mixed(RandomStream.epoch, UInt64(number)))
            generator.shuffle(&samples)
        }
        return samples
    }

    private func pass(_ number: Int, of component: Int) -> ContiguousArray<UInt32> {
        var records = selected[component]
        // A whole pass in one epoch is shuffled with the epoch; only shares of a pass need an order of their own.
        guard shuffles, quotas[component] % records.count != 0 else { return records }
        var generator = RandomGenerator(
            seed: seed, stream: RandomStream.mixed(RandomStream.pass, UInt64(component), UInt64(number)))
        generator.shuffle(&records)
        return records
    }
}
