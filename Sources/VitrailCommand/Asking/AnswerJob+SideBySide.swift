import Basics
import CPUBackend
import Imaging
import TensorCore
import VisionLanguage

// Batches on threads by themselves instead of each batch on all threads: nobody waits for the others at the end of a kernel, and some threads
// read weights from memory for their next tokens while others multiply their prompts.
extension AnswerJob {
    /// What batches side by side may take besides the weights.
    private static let mostBytes = 2 << 30
    /// Prompts of a part of a batch: products of fewer rows add up in another order.
    private static let leastPrompts = 3

    /// How many of the batches, from the first on, are answered side by side: all where they are cut into parts, of which every thread has
    /// some until the end, else whole rounds, so that no thread is left alone with a last one; none where this would take much memory.
    func countSideBySide(_ batches: [[WaitingItem]]) -> Int {
        guard let backend = bundle.model.backend as? CPUBackend, backend.memoryLimit == nil, backend.threads > 1,
            adapters == nil, bundle.adapterFolder == nil, bundle.model.language.virtualTokens == nil
        else { return 0 }
        let pictures = batches.joined().map(\.element.images.count)
        // Those of a group wait for each other.
        let bytes = (backend.threads + countJoined) * bytesOfBatch(pictures: pictures.max() ?? 0, backend)
        guard bytes <= Self.mostBytes else { return 0 }
        guard batches.count > 1, batches.allSatisfy(isCut) else {
            return batches.count / backend.threads * backend.threads
        }
        return batches.count
    }

    /// Whether a batch is cut into parts, if all of its pictures can be read; the last one may be too small for it.
    private func isCut(_ batch: [WaitingItem]) -> Bool {
        let pictures = batch.map(\.element.images.count)
        return countParts(pictures) > 1 || batch.count < self.batch && !pictures.contains(0)
    }

    /// About the tokens of a question with so many pictures.
    private func tokens(pictures: Int) -> Int {
        // Questions are seldom longer than the tokens of a picture; tiles of large pictures count as four.
        let isCut = bundle.processor.map { $0.tiling != .none } ?? false
        return pictures * (isCut ? 4 : 1) * bundle.imageTokenCount + 128
    }

    /// About what a batch takes: keys and values, and the widest activations of its prompts.
    private func bytesOfBatch(pictures: Int, _ backend: CPUBackend) -> Int {
        let language = bundle.model.configuration.language
        let cached = 2 * language.layers * language.heads.keyValueColumns
        let active = 4 * language.intermediateSize + 6 * language.hiddenSize
        return batch * (tokens(pictures: pictures) + options.maxNewTokens) * (cached + active)
            * backend.factorType.byteCount(of: 1)
    }

    /// Answers each batch on threads by themselves, as many at once as there are threads; `write` receives them in order.
    func answerSideBySide(_ batches: ArraySlice<[WaitingItem]>, _ write: (AnsweredBatch) throws -> Void) throws {
        if batches.isEmpty { return }
        let threads = bundle.model.backend.threads
        try withoutActuallyEscaping(write) { write in
            // The last of batches that threads share is not long without company.
            let last = batches.allSatisfy(isCut) ? 1 : threads
            let groups = BatchGroups(count: batches.count, size: countJoined, last: last)
            try BatchesUnderWay(self, Array(batches), groups, write).finish(threads: threads)
        }
    }

    /// Batches whose tokens are generated together, by whichever thread has run the last one's prompts: their weights are then read
    /// once for all of them. More than the rows that weights are streamed past would be packed for.
    private var countJoined: Int {
        let model = bundle.model
        // Of more rows, a batch by itself would not add up its sums as several do.
        guard let backend = model.backend as? CPUBackend, backend.factorType == .bfloat16,
            model.language.headWeight.dtype == .bfloat16 || backend.multipliesBlocks, batch <= backend.streamedRows
        else { return 1 }
        return max(1, min(2, RowStreaming.widened { backend.streamedRows } / batch))
    }

    /// A batch's pictures, cut into parts whose prompts go through the model at once.
    func load(
        _ batch: [WaitingItem], _ answerers: inout [String: Answerer]
    ) throws -> (items: [LoadedItem], parts: [[LoadedItem]]) {
        var items = try checked(
            PictureLoader(processor: bundle.processor, workers: 1, store: store).load(batch), with: &answerers)
        let good = items.filter { $0.failure == nil }
        // Pixels are of no use behind the prompt.
        for index in items.indices { items[index].pictures = [] }
        let count = canWait(good) ? countParts(good.map(\.pictures.count)) : min(good.count, 1)
        return (items, (0..<count).map { Array(good[good.count * $0 / count..<good.count * ($0 + 1) / count]) })
    }

    /// Whether answers to the items can begin now and go on later, all in the same way.
    func canWait(_ good: [LoadedItem]) -> Bool {
        options.settings.beams == 1 && good.allSatisfy { $0.item.adapter == good[0].item.adapter }
    }

    /// Parts of a batch of so many pictures a question: as many as keep what their rows take in a thread's share of the caches.
    private func countParts(_ pictures: [Int]) -> Int {
        guard let backend = bundle.model.backend as? CPUBackend, let rows = backend.nearRows,
            // A part has more rows than are streamed, as the whole batch has; behind the last block, no more, again as the whole batch.
            !pictures.contains(0), bundle.imageTokenCount >= backend.streamedRows,
            pictures.count <= backend.streamedRows
        else { return min(pictures.count, 1) }
        let tokens = pictures.reduce(0) { $0 + self.tokens(pictures: $1) }
        return max(min(pictures.count, 1), min(pictures.count / Self.leastPrompts, tokens / rows))
    }
}
