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
        let bytes = backend.threads * bytesOfBatch(pictures: pictures, backend)
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
        try Parallel.inOrder(batches.count, workers: bundle.model.backend.threads) { index in
            if job.isAskedToStop { return nil }
            return try CPUBackend.onThisThread {
                let items = try PictureLoader(processor: job.bundle.processor, workers: 1).load(batches[index])
                var answerers = idle.take()
                defer { idle.giveBack(answerers) }
                let answers = try job.answers(to: items.filter { $0.failure == nil }, with: &answerers, onText: nil)
                return AnsweredBatch(items: items, answers: answers)
            }
        } deliver: {
            try write($0)
        }
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
