public import Basics
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Asks a writer: side by side, within a budget and a rate, again after what passes, and never twice for one answer.
public final class CompletionClient: Sendable {
    /// Bounds and patience.
    public struct Policy: Sendable {
        /// Requests under way at once.
        public var concurrency = 4
        /// Requests that may begin within a minute; nil: as many as there are.
        public var requestsPerMinute: Double?
        /// Attempts after the first.
        public var retries = 6
        /// Seconds before the second attempt; doubled each time.
        public var backoff = 1.0
        /// The longest wait in seconds that nobody asked for.
        public var longestWait = 60.0
        /// The longest wait in seconds that a server may ask for; it ends the run when it asks for more.
        public var longestAsked = 3_600.0
        /// Attempts that may be sent in this run; nil: no bound.
        public var maximumRequests: Int?
        /// Tokens of prompts and answers, those of the journal included; nil: no bound.
        public var maximumTokens: Int?

        /// The defaults.
        public init() {}
    }

    /// The file that answers are kept in.
    public var journalPath: String { journal.path }

    /// Counts of a run.
    public struct Totals: Sendable, Equatable {
        /// Attempts that were sent.
        public var attempts = 0
        /// Answers that came.
        public var answers = 0
        /// Answers that the journal had.
        public var replayed = 0
        /// Requests without an answer after all attempts.
        public var failures = 0
        /// Seconds spent waiting before attempts, over all threads.
        public var waited = 0.0
    }

    /// The model's name.
    public var model: String { writer.model }
    private let writer: any CompletionWriter
    private let journal: CompletionJournal
    private let policy: Policy
    private let state = Mutex(State())
    private let sleep: @Sendable (Double) -> Void
    private let waiting: @Sendable (Double, String) -> Void
    private let isCancelled: @Sendable () -> Bool

    private struct State {
        var totals = Totals()
        var nextStart = ContinuousClock.now
        var stopped: GenerationStopped?
        /// Tokens that requests under way may take at most.
        var reserved = 0
    }

    /// A client.
    ///
    /// - Parameters:
    ///   - sleep: waits for so many seconds; tests pass one that does not.
    ///   - waiting: told, by any thread, for how many seconds a request waits before it is tried again, and why.
    ///   - isCancelled: asked before each attempt and after one that failed.
    public init(
        _ writer: any CompletionWriter, journal: CompletionJournal, policy: Policy = Policy(),
        sleep: (@Sendable (Double) -> Void)? = nil,
        waiting: @escaping @Sendable (Double, String) -> Void = { _, _ in },
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) {
        self.writer = writer
        self.journal = journal
        self.policy = policy
        self.waiting = waiting
        self.sleep =
            sleep ?? { seconds in
                // In pieces, so that a run that is asked to stop in the middle of a long wait does.
                let end = ContinuousClock.now + .seconds(min(seconds, 3_600))
                while ContinuousClock.now < end, !isCancelled() {
                    usleep(UInt32(min(0.1, max(0, (end - ContinuousClock.now) / .seconds(1))) * 1e6))
                }
            }
        self.isCancelled = isCancelled
    }

    /// What was done so far.
    public var totals: Totals { state.withLock { $0.totals } }

    /// Answers in the order of the requests; equal requests are asked once.
    ///
    /// - Throws: ``GenerationStopped`` when the budget is used up, the run is to end, or nothing will do. What was answered
    ///   until then is in the journal.
    public func complete(_ requests: [CompletionRequest]) throws -> [Result<Completion, CompletionFailure>] {
        let digests = requests.map { $0.digest(model: writer.model) }
        var firsts: [String: Int] = [:]
        var unique: [Int] = []
        for (index, digest) in digests.enumerated() where firsts[digest] == nil {
            firsts[digest] = unique.count
            unique.append(index)
        }
        let results = try Parallel.map(unique, workers: policy.concurrency) { index in
            try answer(requests[index], digests[index])
        }
        return digests.map { results[firsts[$0] ?? 0] }
    }

    private func answer(
        _ request: CompletionRequest, _ digest: String
    ) throws -> Result<Completion, CompletionFailure> {
        if let known = journal.answer(digest) {
            state.withLock { $0.totals.replayed += 1 }
            return .success(known)
        }
        var generator = RandomGenerator(seed: 0, stream: digest)
        var attempt = 0
        while true {
            let reserved = Self.mostTokens(of: request)
            try reserve(reserved)
            defer { state.withLock { $0.reserved -= reserved } }
            do throws(CompletionFailure) {
                let completion = try writer.complete(request)
                note(completion, digest)
                return .success(completion)
            } catch {
                switch error.kind {
                case .fatal:
                    throw stop(
                        GenerationStopped(problem: "the writer of answers gave up: \(error.reason)", fix: Self.fatalFix)
                    )
                case .refused:
                    state.withLock { $0.totals.failures += 1 }
                    return .failure(error)
                case .transient(let after):
                    // A transfer that was given up is no fault of the server.
                    if isCancelled() { throw Self.cancelled }
                    guard attempt < policy.retries else {
                        state.withLock { $0.totals.failures += 1 }
                        return .failure(error)
                    }
                    // Between half and all of the doubled wait, so that threads do not come back together.
                    var wait = policy.backoff
                    for _ in 0..<attempt { wait *= 2 }
                    wait *= 0.5 + 0.5 * generator.uniform()
                    // To come back before a server wants it makes it wait longer still.
                    wait = max(min(policy.longestWait, wait), after ?? 0)
                    if wait > policy.longestAsked {
                        let time = Int(min(wait, 1e9)).counted("second")
                        throw stop(
                            GenerationStopped(
                                problem: "the server asks to be left alone for \(time): \(error.reason)",
                                fix: "run the same command again then; nothing is asked twice", isOrderly: true))
                    }
                    state.withLock { $0.totals.waited += wait }
                    waiting(wait, error.reason)
                    sleep(wait)
                    attempt += 1
                }
            }
        }
    }

    /// Ends the run: no other request is begun.
    private func stop(_ reason: GenerationStopped) -> GenerationStopped {
        state.withLock { state in
            state.stopped = state.stopped ?? reason
            return state.stopped ?? reason
        }
    }

    private static let fatalFix =
        "check --endpoint, --model-name and the key in the environment; the journal keeps what was answered"

    private func note(_ completion: Completion, _ digest: String) {
        do { try journal.record(completion, digest: digest, model: writer.model) } catch {
            // An answer that cannot be kept would be paid for again: no more are asked for.
            let problem = error as? any Problem
            state.withLock {
                $0.stopped = GenerationStopped(problem: problem?.problem ?? "\(error)", fix: problem?.fix)
            }
        }
        state.withLock { $0.totals.answers += 1 }
    }

    /// A bound of the tokens that a request can take: its answer's limit, and a token for three bytes of its prompt.
    private static func mostTokens(of request: CompletionRequest) -> Int {
        request.sampling.maximumTokens + request.messages.reduce(0) { $0 + $1.text.utf8.count / 3 + 1 }
    }

    /// Takes one attempt out of the budget and waits for its turn.
    private func reserve(_ most: Int) throws {
        let tokens = journal.tokens
        let wait = try state.withLock { state -> Double in
            if let stopped = state.stopped { throw stopped }
            if isCancelled() { throw Self.cancelled }
            if let most = policy.maximumRequests, state.totals.attempts >= most {
                throw GenerationStopped(
                    problem: "the budget of \(most.counted("request")) is used up",
                    fix: "raise --max-requests and run the same command again; nothing is asked twice", isOrderly: true)
            }
            if let bound = policy.maximumTokens, tokens + state.reserved + most > bound {
                throw GenerationStopped(
                    problem: "the budget of \(bound.counted("token")) has no room for another request (\(tokens) used)",
                    fix: "raise --max-tokens and run the same command again; nothing is asked twice", isOrderly: true)
            }
            state.totals.attempts += 1
            state.reserved += most
            guard let rate = policy.requestsPerMinute, rate > 0 else { return 0 }
            let now = ContinuousClock.now
            let start = max(now, state.nextStart)
            state.nextStart = start + .seconds(60 / rate)
            return (start - now) / .seconds(1)
        }
        if wait > 0 {
            state.withLock { $0.totals.waited += wait }
            sleep(wait)
            if isCancelled() { throw Self.cancelled }
        }
    }

    private static let cancelled = GenerationStopped(
        problem: "the run was asked to stop", fix: "run the same command again to go on", isOrderly: true)
}

/// Why a run ended before its work was done; what was answered is in the journal.
public struct GenerationStopped: Problem {
    /// What happened.
    public let problem: String
    /// How to go on.
    public let fix: String?
    /// Whether the end was planned (a budget, Ctrl-C).
    public var isOrderly = false
}
