import Basics
import Imaging
import InstructionData
import TensorCore
import VisionLanguage

/// One line of batch inference: its pictures, its question, and what is copied to the output line.
struct AnswerItem: Sendable {
    var id: String
    var images: [ImageReference]
    var question: String
    var references: [String] = []
    var kind: String?
    /// The adapter that it chooses; nil for the common one.
    var adapter: String?
}

/// Answers items in batches; each line is on disk as soon as its batch is done, and a second call goes on after the last.
struct AnswerJob {
    let bundle: ModelBundle
    let options: GenerationOptions
    /// JSONL file for the results; nil prints them.
    let output: String?
    /// Name of the answer in the output: `caption` or `prediction`.
    let field: String
    /// Print JSON instead of text.
    let json: Bool
    /// Whether it ends between batches when the program is asked to stop.
    var stopsWhenAsked = true
    /// What changes between adapters; nil where there is one at most.
    var adapters: AdapterSwitch?
    /// Questions that are answered side by side.
    var batch: Int { options.batch ?? GenerationOptions.usualBatch }
    /// Threads that decode pictures ahead, while others wait for memory: small models spend most of the time there.
    var workers: Int { bundle.model.backend.threads }

    /// Counts of a job.
    struct Outcome {
        var done = 0
        var failed = 0
        var skipped = 0
        /// Of those that an earlier call has dealt with, how many have no answer.
        var failedBefore = 0
        var tokens = 0
        var seconds = 0.0
    }

    /// Runs the job; stops between batches when asked to.
    func run(_ items: [AnswerItem]) throws -> Outcome {
        var outcome = Outcome()
        let (finished, failed) = try output.map { try Self.finishedIDs($0) } ?? ([], [])
        for name in Set(items.compactMap(\.adapter)).sorted() { try check(name) }
        let file = try output.map { try AppendFile($0) }
        let waiting = items.enumerated().filter { !finished.contains($0.element.id) }
        outcome.skipped = items.count - waiting.count
        outcome.failedBefore = items.count { failed.contains($0.id) }
        // One an adapter: what an answerer keeps of prompts was computed under it.
        var answerers: [String: Answerer] = [:]
        let start = ContinuousClock.now
        var progress = ProgressLine(field == "caption" ? "captions" : "answers")
        var loaded = try loader.load(waiting.prefix(batch))
        for first in stride(from: 0, to: waiting.count, by: batch) {
            if stopsWhenAsked, Interruption.isRequested { break }
            let current = loaded
            let next = waiting.dropFirst(first + batch).prefix(batch)
            // The next batch's pictures are decoded on other threads while this one is generated.
            let loader = loader
            let ahead = next.isEmpty ? nil : Background { try loader.load(next) }
            try answer(current, with: &answerers, to: file, &outcome)
            outcome.seconds = (ContinuousClock.now - start) / .seconds(1)
            if output != nil { progress.show(outcome.done + outcome.failed, of: waiting.count) }
            loaded = try ahead?.wait() ?? []
        }
        try file?.close()
        return outcome
    }

    private var loader: PictureLoader { PictureLoader(processor: bundle.processor, workers: workers) }

    private func answer(
        _ batch: [LoadedItem], with answerers: inout [String: Answerer], to file: AppendFile?, _ outcome: inout Outcome
    ) throws {
        let good = batch.filter { $0.failure == nil }
        let streams = file == nil && good.count == 1 && batch.count == 1 && Console.outputIsTerminal && !json
        let answers = try self.answers(
            to: good, with: &answerers, onText: streams ? { _, piece in Console.stream(piece) } : nil)
        if streams { Console.stream("\n") }
        var next = 0
        for loaded in batch {
            var object = JSONObject()
            object["id"] = .string(loaded.item.id)
            if let image = loaded.item.images.first { object["image"] = .string(image.description) }
            if field != "caption" { object["question"] = .string(loaded.item.question) }
            if let failure = loaded.failure {
                outcome.failed += 1
                object["error"] = .string(failure.problem)
                Console.report(failure)
            } else {
                let answer = answers[next]
                next += 1
                outcome.done += 1
                outcome.tokens += answer.tokenCount
                object[field] = .string(answer.text)
                object["tokens"] = .int(answer.tokenCount)
                object["finish"] = .string(answer.reason.rawValue)
                if !loaded.item.references.isEmpty {
                    object["references"] = .array(loaded.item.references.map { .string($0) })
                }
                if let kind = loaded.item.kind { object["kind"] = .string(kind) }
                if file == nil, !json, !streams {
                    let many = loaded.item.images.first.map { "\($0.description): " } ?? ""
                    Console.out((batch.count > 1 || loaded.index > 0 ? many : "") + answer.text)
                }
            }
            let line = JSON.object(object).serialized()
            try file?.appendLine(line)
            if file == nil && json { Console.out(line) }
        }
        try file?.flush()
    }

    /// Questions of one adapter are answered together, in the order in which the batch first names it.
    private func answers(
        to items: [LoadedItem], with answerers: inout [String: Answerer], onText: ((Int, String) -> Void)?
    ) throws -> [Answer] {
        var names: [String?] = []
        for item in items where !names.contains(item.item.adapter) { names.append(item.item.adapter) }
        var answers = [Answer?](repeating: nil, count: items.count)
        for name in names {
            try adapters?.use(name)
            let answerer =
                try answerers[name ?? ""]
                ?? Answerer(bundle, options.settings, template: options.template, stopStrings: options.stopStrings)
            answerers[name ?? ""] = answerer
            let places = items.indices.filter { items[$0].item.adapter == name }
            let own = try answerer.answer(
                places.map { place in
                    let item = items[place]
                    return Question(item.item.question, pictures: item.pictures, stream: UInt64(item.index))
                }, onText: onText)
            for (place, answer) in zip(places, own) { answers[place] = answer }
        }
        return answers.compactMap { $0 }
    }

    private func check(_ name: String) throws {
        if let adapters { return try adapters.check(name) }
        guard name != AdapterSwitch.none else { return }
        throw UserError(
            "a question chooses the adapter \"\(name)\", and none has a name",
            fix: "name it: --adapter \(name)=folder")
    }

    /// Ids that an earlier call has dealt with, and those of them that have no answer.
    private static func finishedIDs(_ path: String) throws -> (all: Set<String>, failed: Set<String>) {
        guard Files.exists(path) else { return ([], []) }
        let lines = try Files.readText(path, limit: .max).split(separator: "\n")
        // A line torn by a kill is no JSON; AppendFile trims it and the item is answered again.
        let records = lines.compactMap { try? JSON.parse(String($0), source: path) }
        return (
            Set(records.compactMap { $0["id"]?.string }),
            Set(records.filter { $0["error"] != nil }.compactMap { $0["id"]?.string })
        )
    }
}

/// An item with its pictures' pixels, or the reason why there are none.
struct LoadedItem: Sendable {
    var index: Int
    var item: AnswerItem
    var pictures: [ImageTiles] = []
    var failure: UserError?
}

/// Decodes and processes the pictures of items on threads of its own.
struct PictureLoader: Sendable {
    let processor: ImageProcessor?
    let workers: Int

    func load(_ items: ArraySlice<(offset: Int, element: AnswerItem)>) throws -> [LoadedItem] {
        let store = ImageStore()
        let waiting = items.map { LoadedItem(index: $0.offset, item: $0.element) }
        return try Parallel.map(waiting, workers: workers) { loaded in
            var result = loaded
            for image in loaded.item.images {
                do { result.pictures.append(try pixels(of: image, in: store)) } catch let error as any Problem {
                    let name = image.description
                    let problem = error.problem.contains(name) ? error.problem : "\(name): \(error.problem)"
                    result.failure = UserError(problem, fix: error.fix)
                    return result
                }
            }
            return result
        }
    }

    private func pixels(of image: ImageReference, in store: ImageStore) throws -> ImageTiles {
        guard let processor else { throw UserError("this model has no vision tower", fix: "ask without pictures") }
        return try store.withBytes(of: image) {
            try processor.tiles(decoding: $0, source: image.description)
        }
    }
}

/// Work on another thread whose result is waited for; on this one when the system has no thread left.
final class Background<Value: Sendable>: Sendable {
    private final class Box: @unchecked Sendable {  // written before the thread ends, read after it is joined
        var result: Result<Value, any Error>?
    }

    private let box = Box()
    private let thread: WorkerThread?

    init(_ body: @escaping @Sendable () throws -> Value) {
        let box = box
        thread = WorkerThread { box.result = Result { try body() } }
        if thread == nil { box.result = Result { try body() } }
    }

    func wait() throws -> Value {
        thread?.join()
        return try box.result!.get()
    }
}
