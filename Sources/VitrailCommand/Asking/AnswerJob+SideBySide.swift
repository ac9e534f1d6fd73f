import Basics
import CPUBackend
import Imaging
import Synchronization
import TensorCore
import VisionLanguage

// A batch on each thread instead of each batch on all threads: nobody waits for the others at the end of a kernel, and some threads
// read weights from memory for their next tokens while others multiply their prompts.
extension AnswerJob {
    /// What batches side by side may take besides the weights.
    private static let mostBytes = 2 << 30

    /// How many of the batches, from the first on, are answered a thread each: whole rounds, so that no thread is left alone with a
    /// last one, and none where this would take much memory.
    func countSideBySide(_ batches: [[WaitingItem]]) -> Int {
        guard let backend = bundle.model.backend as? CPUBackend, backend.memoryLimit == nil, backend.threads > 1,
            adapters == nil, bundle.adapterFolder == nil, bundle.model.language.virtualTokens == nil
        else { return 0 }
        let rounds = batches.count / backend.threads
        let pictures = batches.flatMap { $0 }.map(\.element.images.count).max() ?? 0
        // Those of a group wait for each other.
        let bytes = (backend.threads + countJoined) * bytesOfBatch(pictures: pictures, backend)
        return bytes <= Self.mostBytes ? rounds * backend.threads : 0
    }

    /// About what a batch takes: keys and values, and the widest activations of its prompts.
    private func bytesOfBatch(pictures: Int, _ backend: CPUBackend) -> Int {
        let language = bundle.model.configuration.language
        // Questions are seldom longer than the tokens of a picture; tiles of large pictures count as four.
        let isCut = bundle.processor.map { $0.tiling != .none } ?? false
        let tiles = pictures * (isCut ? 4 : 1)
        let tokens = tiles * bundle.imageTokenCount + 128 + options.maxNewTokens
        let cached = 2 * language.layers * language.heads.keyValueColumns
        let active = 4 * language.intermediateSize + 6 * language.hiddenSize
        return batch * tokens * (cached + active) * backend.factorType.byteCount(of: 1)
    }

    /// Answers each batch on one thread, as many at once as there are threads; `write` receives them in order.
    func answerSideBySide(_ batches: ArraySlice<[WaitingItem]>, _ write: (AnsweredBatch) throws -> Void) throws {
        if batches.isEmpty { return }
        // Nothing of the job changes while it runs; what the model keeps for its threads is guarded.
        nonisolated(unsafe) let job = self
        let idle = IdleAnswerers()
        let threads = bundle.model.backend.threads
        let groups = BatchGroups(count: batches.count, size: countJoined, last: threads)
        try Parallel.inOrder(batches.count, workers: threads) { index -> [AnsweredBatch]? in
            groups.enter()
            defer { groups.leave() }
            let batch = batches[batches.startIndex + index]
            let begun = job.isAskedToStop ? nil : try groups.work { try job.begin(batch, idle) }
            let ready = groups.add(begun, of: index)
            if ready.isEmpty { return begun == nil ? nil : [] }
            let answers = BegunAnswers.finish(ready.compactMap(\.answers)) { step in groups.work(step) }
            var next = 0
            return ready.map { batch in
                defer { next += batch.answers == nil ? 0 : 1 }
                return AnsweredBatch(items: batch.items, answers: batch.answers == nil ? batch.known : answers[next])
            }
        } deliver: { answered in
            for batch in answered { try write(batch) }
        }
    }

    /// Batches whose tokens are generated together, by whichever thread has run the last one's prompts: their weights are then read
    /// once for all of them. More than the rows that weights are streamed past would be packed for.
    private var countJoined: Int {
        let model = bundle.model
        // Of more rows, a batch by itself would not add up its sums as several do.
        guard model.backend.factorType == .bfloat16, model.language.headWeight.dtype == .bfloat16,
            batch <= model.backend.streamedRows
        else { return 1 }
        return max(1, min(2, RowStreaming.widened { model.backend.streamedRows } / batch))
    }

    /// A batch's pictures, its prompts, and the first token of each answer.
    private func begin(_ batch: [WaitingItem], _ idle: IdleAnswerers) throws -> BegunBatch {
        var items = try PictureLoader(processor: bundle.processor, workers: 1).load(batch)
        let good = items.filter { $0.failure == nil }
        var answerers = idle.take()
        defer { idle.giveBack(answerers) }
        // Pixels are of no use behind the prompt.
        for index in items.indices { items[index].pictures = [] }
        guard let first = good.first, good.allSatisfy({ $0.item.adapter == first.item.adapter }) else {
            return BegunBatch(items: items, known: try answers(to: good, with: &answerers, onText: nil))
        }
        let answerer = try answerer(for: first.item.adapter, among: &answerers)
        guard answerer.goesOnLater else {
            return BegunBatch(items: items, known: try answers(to: good, with: &answerers, onText: nil))
        }
        return BegunBatch(items: items, answers: try answerer.begin(good.map(question)))
    }
}

/// A batch whose prompts are through the model, or whose answers are known.
private struct BegunBatch {
    var items: [LoadedItem]
    var answers: BegunAnswers?
    var known: [Answer] = []

    init(items: [LoadedItem], answers: BegunAnswers) {
        self.items = items
        self.answers = answers
    }

    init(items: [LoadedItem], known: [Answer]) {
        self.items = items
        self.known = known
    }
}

/// Batches that wait for the others of their group.
private final class BatchGroups: Sendable {
    private struct State: @unchecked Sendable {  // batches in here are held by nobody else
        var waiting: [Int: [BegunBatch]] = [:]
        var arrived: [Int: Int] = [:]
        var entered = 0
        var inside = 0
    }
    private let state = Mutex(State())
    private let count: Int
    private let size: Int
    /// Batches, from this one on, are groups of their own: a group's single thread would keep all waiting at the end.
    private let lastGroup: Int

    init(count: Int, size: Int, last: Int) {
        self.count = count
        self.size = size
        lastGroup = max(0, count - last) / size * size
    }

    /// Adds a batch, nil for one that is not answered; the whole group when no other of it is missing, in the batches' order.
    func add(_ batch: BegunBatch?, of index: Int) -> [BegunBatch] {
        nonisolated(unsafe) let batch = batch
        guard index < lastGroup else { return batch.map { [$0] } ?? [] }
        let group = index / size
        nonisolated(unsafe) var ready: [BegunBatch] = []
        state.withLock { state in
            if let batch { state.waiting[group, default: []].append(batch) }
            state.arrived[group, default: 0] += 1
            guard state.arrived[group] == size else { return }
            ready = state.waiting.removeValue(forKey: group) ?? []
        }
        return ready.sorted { ($0.items.first?.index ?? 0) < ($1.items.first?.index ?? 0) }
    }

    func enter() {
        state.withLock {
            $0.entered += 1
            $0.inside += 1
        }
    }

    func leave() { state.withLock { $0.inside -= 1 } }

    /// Works on the calling thread alone; on all of them once the others have nothing left to do.
    func work<Result>(_ body: () throws -> Result) rethrows -> Result {
        let isLast = state.withLock { $0.entered == count && $0.inside == 1 }
        return isLast ? try body() : try CPUBackend.onThisThread(body)
    }
}

/// Answerers that no thread uses.
private final class IdleAnswerers: Sendable {
    private struct Idle: @unchecked Sendable {  // answerers in here are held by nobody else
        var sets: [[String: Answerer]] = []
    }
    private let idle = Mutex(Idle())

    func take() -> [String: Answerer] { idle.withLock { $0.sets.popLast() } ?? [:] }

    func giveBack(_ answerers: [String: Answerer]) {
        nonisolated(unsafe) let answerers = answerers
        idle.withLock { $0.sets.append(answerers) }
    }
}
