import Basics
import Tokenization

/// Delivers samples in training order, made ahead on worker threads.
///
/// What comes out depends on order, source and positions alone, not on the number of workers. A loader may be left at
/// any point: its threads end when it is released.
public final class SampleLoader {
    /// How a loader works.
    public struct Options: Sendable {
        /// Threads that decode and tokenise.
        public var workers: Int
        /// Samples that may wait ready.
        public var ahead: Int
        /// What happens to a broken record or picture.
        public var policy: FaultPolicy

        /// Two threads and 64 samples ahead; broken records are skipped, up to 100.
        public init(workers: Int = 2, ahead: Int = 64, policy: FaultPolicy = .skip(limit: 100)) {
            self.workers = workers
            self.ahead = ahead
            self.policy = policy
        }
    }

    /// Counts so far.
    public struct Statistics: Sendable, Equatable {
        /// Samples delivered.
        public var samples = 0
        /// Records that were broken.
        public var rejected = 0
        /// Of these, how many another record stood in for.
        public var replaced = 0
        /// Samples that were cut to the length limit.
        public var truncatedSamples = 0
        /// Tokens that were cut.
        public var truncatedTokens = 0
        /// Repairs of a lenient reading, by kind.
        public var repairs: [Repair: Int] = [:]
        /// Seconds that the consumer waited for samples.
        public var waitSeconds = 0.0
    }

    /// Counts since this loader was made.
    public private(set) var statistics = Statistics()
    /// The position after the last one delivered or skipped: where a resumed run begins.
    public private(set) var nextPosition: Int

    private let prefetcher: OrderedPrefetcher<Outcome>
    private let policy: FaultPolicy
    private let log: RejectionLog?
    private var rejectedBefore: Int
    private var failure: (any Error)?
    /// Whether the first record of all is delivered by this loader.
    private let isFirst: Bool
    private var lastReason = ""

    /// Starts loading.
    /// - Parameters:
    ///   - positions: the positions of the order to deliver; `0..<(epochs * order.samplesPerEpoch)` for a whole run.
    ///   - log: where rejected records are listed.
    public init(
        source: SampleSource, order: TrainingOrder, positions: Range<Int>, options: Options = Options(),
        log: RejectionLog? = nil
    ) throws {
        policy = options.policy
        self.log = log
        nextPosition = positions.lowerBound
        isFirst = positions.lowerBound == 0
        rejectedBefore = log?.count(before: positions.lowerBound) ?? 0
        let worker = SampleWorker(source: source, order: order, policy: options.policy)
        prefetcher = try OrderedPrefetcher(
            positions: positions, workers: options.workers, depth: options.ahead
        ) { worker.outcome(at: $0) }
    }

    /// The next sample; nil after the last.
    /// - Throws: the first broken record under `fail`, or an error that lists the last one when there are too many or no others.
    public func next() throws -> Sample? {
        if let failure { throw failure }
        while true {
            let start = ContinuousClock.now
            let outcome = prefetcher.next()
            statistics.waitSeconds += (ContinuousClock.now - start) / .seconds(1)
            guard let outcome else {
                guard isFirst, statistics.samples == 0, statistics.rejected > 0 else { return nil }
                let error = UserError(
                    "not one of the records could be used; the last of \(statistics.rejected): \(lastReason)",
                    fix: "vitrail data validate says what is wrong with a file")
                failure = error
                throw error
            }
            nextPosition = outcome.position + 1
            for repair in outcome.repairs { statistics.repairs[repair, default: 0] += 1 }
            do { try account(for: outcome) } catch {
                failure = error
                throw error
            }
            if let sample = outcome.sample {
                statistics.samples += 1
                if sample.text.cutTokens > 0 {
                    statistics.truncatedSamples += 1
                    statistics.truncatedTokens += sample.text.cutTokens
                }
                return sample
            }
        }
    }

    private func account(for outcome: Outcome) throws {
        guard let rejection = outcome.rejection else { return }
        if policy == .fail {
            throw UserError(
                rejection.reason, fix: rejection.fix ?? "correct or remove the record, or choose on_error: skip")
        }
        statistics.rejected += 1
        lastReason = rejection.reason
        if rejection.replacement != nil { statistics.replaced += 1 }
        try log?.append(rejection)
        let total = statistics.rejected + rejectedBefore
        if total > policy.limit {
            throw UserError(
                "\(total.counted("broken record")), more than the limit of \(policy.limit); the last: \(rejection.reason)",
                fix: log.map { "see \($0.path); correct the data, or raise the limit" }
                    ?? "correct the data, or raise the limit")
        }
        if policy != .skip(limit: policy.limit), rejection.replacement == nil {
            throw UserError(
                "no record could take the place of a broken one: \(rejection.reason)", fix: "correct the data")
        }
    }
}
