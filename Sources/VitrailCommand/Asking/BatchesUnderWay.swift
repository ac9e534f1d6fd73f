import Basics
import CPUBackend
import Synchronization
import VisionLanguage

/// Batches that are answered side by side: each thread takes the pictures of a batch, the prompts of a part of one, or the tokens of
/// a group, whatever is nearest to answers. No thread keeps a batch, so that all of them have work until the end.
final class BatchesUnderWay: Sendable {
    private struct State: @unchecked Sendable {  // what is begun is held by nobody else
        var items: [Int: [LoadedItem]] = [:]
        var begun: [Int: [BegunAnswers?]] = [:]
        var arrived: [Int: Int] = [:]
        /// Batches whose turn to be delivered has not come.
        var waiting: [Int: Result<AnsweredBatch?, any Error>] = [:]
        var delivered = 0
        /// Whether no further batch is to begin, and whether no further one is to be delivered.
        var isOver = false
        var isEnded = false
        var failure: (any Error)?
    }

    private let state = Mutex(State())
    private let queue = WorkQueue()
    private let batches: [[WaitingItem]]
    private let groups: BatchGroups
    private let idle = IdleAnswerers()
    // Nothing of the job changes while it runs; what the model keeps for its threads is guarded.
    private nonisolated(unsafe) let job: AnswerJob
    // Called under the lock, and not after `finish` has returned.
    private nonisolated(unsafe) let deliver: (AnsweredBatch) throws -> Void

    /// - Parameter deliver: receives the batches in order, one at a time.
    init(
        _ job: AnswerJob, _ batches: [[WaitingItem]], _ groups: BatchGroups,
        _ deliver: @escaping (AnsweredBatch) throws -> Void
    ) {
        self.job = job
        self.batches = batches
        self.groups = groups
        self.deliver = deliver
    }

    /// Answers all of them.
    ///
    /// - Throws: the first error in the order of the batches; what stands before it was delivered, what stands behind it was not.
    func finish(threads: Int) throws {
        for index in batches.indices { add(rank: 2) { self.load(index) } }
        try queue.run(workers: threads)
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    /// Adds work for the thread that takes it alone; once the others have nothing left to do, it goes on on all of them.
    private func add(rank: Int, _ body: @escaping @Sendable () -> Void) {
        queue.add(rank: rank) { CPUBackend.onThisThread(body) }
    }

    // MARK: Pictures and prompts

    private func load(_ index: Int) {
        guard !job.isAskedToStop, !state.withLock({ $0.isOver }) else { return arrive(index, .success(nil)) }
        do {
            let (items, parts) = try idle.lend { try job.load(batches[index], &$0) }
            let good = parts.flatMap { $0 }
            guard !good.isEmpty, job.canWait(good) else {
                let answers = try idle.lend { try job.answers(to: good, with: &$0, onText: nil) }
                return arrive(index, .success(AnsweredBatch(items: items, answers: answers)))
            }
            state.withLock { state in
                state.items[index] = items
                state.begun[index] = Array(repeating: nil, count: parts.count)
            }
            for (number, part) in parts.enumerated() { add(rank: 1) { self.begin(part, number, of: index) } }
        } catch {
            arrive(index, .failure(error))
        }
    }

    private func begin(_ part: [LoadedItem], _ number: Int, of index: Int) {
        do {
            let answers = try idle.lend { answerers in
                let answerer = try job.answerer(for: part[0].item.adapter, among: &answerers)
                return try answerer.begin(part.map(job.question))
            }
            nonisolated(unsafe) let begun = answers
            let isComplete = state.withLock { state in
                state.begun[index]?[number] = begun
                return state.begun[index]?.allSatisfy { $0 != nil } ?? false
            }
            if isComplete { arrive(index) }
        } catch {
            // Other parts are not waited for, and may fail as well.
            if state.withLock({ $0.begun.removeValue(forKey: index) }) != nil { arrive(index, .failure(error)) }
        }
    }

    /// A batch has begun, or its result is known: it has come to its group.
    private func arrive(_ index: Int, _ result: Result<AnsweredBatch?, any Error>? = nil) {
        let group = groups.group(of: index)
        let isComplete = state.withLock { state in
            state.waiting[index] = result
            if let result, (try? result.get()) == nil { state.isOver = true }
            state.arrived[group.lowerBound, default: 0] += 1
            return state.arrived[group.lowerBound] == group.count
        }
        if isComplete { add(rank: 0) { self.finish(group) } }
    }

    // MARK: Tokens

    private func finish(_ group: Range<Int>) {
        nonisolated(unsafe) var ready: [(index: Int, items: [LoadedItem], parts: [BegunAnswers])] = []
        state.withLock { state in
            for index in group {
                guard let parts = state.begun.removeValue(forKey: index) else { continue }
                ready.append((index, state.items.removeValue(forKey: index) ?? [], parts.compactMap { $0 }))
            }
        }
        var answers = BegunAnswers.finish(ready.flatMap(\.parts))[...]
        state.withLock { state in
            for batch in ready {
                let own = answers.prefix(batch.parts.count).flatMap { $0 }
                answers = answers.dropFirst(batch.parts.count)
                state.waiting[batch.index] = .success(AnsweredBatch(items: batch.items, answers: own))
            }
            while let result = state.waiting.removeValue(forKey: state.delivered) { hand(on: result, &state) }
        }
    }

    /// Delivers a batch whose turn it is; nothing behind one that failed, or was not begun.
    private func hand(on result: Result<AnsweredBatch?, any Error>, _ state: inout State) {
        state.delivered += 1
        if state.isEnded { return }
        do {
            if let batch = try result.get() { return try deliver(batch) }
        } catch {
            state.failure = error
        }
        (state.isOver, state.isEnded) = (true, true)
    }
}

/// Batches whose tokens are generated together.
struct BatchGroups {
    private let count: Int
    private let size: Int
    /// Batches, from this one on, are groups of their own: a group's single thread would keep all waiting at the end.
    private let lastGroup: Int

    init(count: Int, size: Int, last: Int) {
        self.count = count
        self.size = size
        lastGroup = max(0, count - last) / size * size
    }

    /// The batches of a batch's group.
    func group(of index: Int) -> Range<Int> {
        guard index < lastGroup else { return index..<index + 1 }
        let first = index / size * size
        return first..<first + size
    }
}

/// Answerers that no thread uses.
private final class IdleAnswerers: Sendable {
    private struct Idle: @unchecked Sendable {  // answerers in here are held by nobody else
        var sets: [[String: Answerer]] = []
    }
    private let idle = Mutex(Idle())

    /// Calls `body` with answerers that nobody else has meanwhile.
    func lend<Result>(_ body: (inout [String: Answerer]) throws -> Result) rethrows -> Result {
        var answerers = idle.withLock { $0.sets.popLast() } ?? [:]
        defer {
            nonisolated(unsafe) let answerers = answerers
            idle.withLock { $0.sets.append(answerers) }
        }
        return try body(&answerers)
    }
}
