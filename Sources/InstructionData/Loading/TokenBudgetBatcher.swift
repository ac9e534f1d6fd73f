import Tokenization

/// Consecutive samples that a model sees in one call.
public struct Batch: Sendable {
    /// The samples.
    public var samples: [Sample]
    /// The position after the last sample taken in: where a resumed run begins.
    public var nextPosition: Int

    /// Tokens in all.
    public var tokenCount: Int { samples.reduce(0) { $0 + $1.tokenCount } }
    /// Tokens that carry loss.
    public var supervisedCount: Int { samples.reduce(0) { $0 + $1.text.supervisedCount } }
}

/// Groups samples into batches: as many as fit a token budget, or a fixed number, in delivery order.
///
/// A batch depends only on where it begins, so a run that resumes at a batch's start makes the same batches. A sample
/// above the budget is a batch of its own.
public final class TokenBudgetBatcher {
    /// When a batch is full.
    public struct Limits: Sendable, Equatable {
        /// Tokens at most; nil for no limit.
        public var tokens: Int?
        /// Samples at most; nil for no limit.
        public var samples: Int?
        /// Pictures at most; nil for no limit.
        public var images: Int?

        /// At least one limit should be given: without any, one batch takes everything.
        public init(tokens: Int? = nil, samples: Int? = nil, images: Int? = nil) {
            self.tokens = tokens
            self.samples = samples
            self.images = images
        }
    }

    private let limits: Limits
    private let source: () throws -> Sample?
    private var pending: Sample?

    /// Draws from a loader.
    public convenience init(_ loader: SampleLoader, limits: Limits) {
        self.init(limits: limits) { try loader.next() }
    }

    /// Draws from any source of samples.
    public init(limits: Limits, source: @escaping () throws -> Sample?) {
        self.limits = limits
        self.source = source
    }

    /// The next batch; nil when no sample is left.
    public func next() throws -> Batch? {
        var samples: [Sample] = []
        var (tokens, images) = (0, 0)
        while true {
            guard let sample = try pending ?? source() else { break }
            pending = nil
            let fits =
                tokens + sample.tokenCount <= limits.tokens ?? .max
                && images + sample.pixels.count <= limits.images ?? .max
            guard samples.isEmpty || fits else {
                pending = sample
                break
            }
            samples.append(sample)
            tokens += sample.tokenCount
            images += sample.pixels.count
            if samples.count >= limits.samples ?? .max { break }
        }
        guard let last = samples.last else { return nil }
        return Batch(samples: samples, nextPosition: last.position + 1)
    }
}
