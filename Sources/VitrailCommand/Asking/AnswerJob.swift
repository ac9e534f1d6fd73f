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
    /// What makes the answers, for a file that later calls go on with.
    var mark: AnswerMark?
    /// What changes between adapters; nil where there is one at most.
    var adapters: AdapterSwitch?
    /// Where pictures come from.
    var store = ImageStore()
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
        for name in Set(items.compactMap(\.adapter)).sorted() { try check(name) }
        let size = output.flatMap { try? Files.size($0) } ?? 0
        var before = try output.map { try AnswerJournal($0).remainder(of: items, madeBy: mark) }
        let file = try output.map { try AppendFile($0, beginning: "{\"id\":") }
        // Another process may have written there before this one held the file.
        if let output, try Files.size(output) != size {
            before = try AnswerJournal(output).remainder(of: items, madeBy: mark)
        }
        let waiting = before?.waiting ?? items.enumerated().map { ($0.offset, $0.element) }
        outcome.skipped = items.count - waiting.count
        outcome.failedBefore = before?.failed ?? 0
        let start = ContinuousClock.now
        var progress = ProgressLine(field == "caption" ? "caption" : "answer")
        let batches = stride(from: 0, to: waiting.count, by: batch).map { Array(waiting.dropFirst($0).prefix(batch)) }
        func write(_ answered: AnsweredBatch) throws {
            try self.write(answered, to: file, &outcome)
            outcome.seconds = (ContinuousClock.now - start) / .seconds(1)
            if output != nil { progress.show(outcome.done + outcome.failed, of: waiting.count) }
        }
        let aside = countSideBySide(batches)
        try answerSideBySide(batches.prefix(aside), write)
        try answerInTurn(batches.dropFirst(aside), to: file, write)
        try file?.close()
        return outcome
    }

    /// One batch after the other, each on all threads.
    private func answerInTurn(
        _ batches: ArraySlice<[WaitingItem]>, to file: AppendFile?, _ write: (AnsweredBatch) throws -> Void
    ) throws {
        guard let first = batches.first else { return }
        // One an adapter: what an answerer keeps of prompts was computed under it.
        var answerers: [String: Answerer] = [:]
        let loader = PictureLoader(processor: bundle.processor, workers: workers, store: store)
        var loaded = isAskedToStop ? [] : try loader.load(first)
        for index in batches.indices {
            if isAskedToStop { break }
            let current = try checked(loaded, with: &answerers)
            // The next batch's pictures are decoded on other threads while this one is generated.
            let next = index + 1 < batches.endIndex ? batches[index + 1] : []
            let ahead = next.isEmpty ? nil : Background { try loader.load(next) }
            let good = current.filter { $0.failure == nil }
            let streams = file == nil && good.count == 1 && current.count == 1 && Console.outputIsTerminal && !json
            let answers = try self.answers(
                to: good, with: &answerers, onText: streams ? { _, piece in Console.stream(piece) } : nil)
            if streams { Console.stream("\n") }
            try write(AnsweredBatch(items: current, answers: answers, isShown: streams))
            loaded = try ahead?.wait() ?? []
        }
    }

    /// Items of a batch: those whose prompt cannot be made, with more markers than pictures or too long, fail by themselves, as those
    /// with broken pictures do.
    func checked(_ items: [LoadedItem], with answerers: inout [String: Answerer]) throws -> [LoadedItem] {
        let most = bundle.model.configuration.language.maximumPositions
        return try items.map { loaded in
            guard loaded.failure == nil else { return loaded }
            var loaded = loaded
            let answerer = try answerer(for: loaded.item.adapter, among: &answerers)
            let name = items.count > 1 || loaded.index > 0 ? "question \(loaded.item.id): " : ""
            do {
                let length = try answerer.length(of: question(loaded))
                guard length > most else { return loaded }
                loaded.note =
                    "\(name)the prompt has \(length.counted("token")), and the model was made for \(Formatting.count(most)); "
                    + "the answer may mean nothing"
            } catch let error as any Problem {
                loaded.failure = UserError(name + error.problem, fix: error.fix)
            }
            return loaded
        }
    }

    /// Whether no further batch is to begin.
    var isAskedToStop: Bool { stopsWhenAsked && Interruption.isRequested }

    /// A line an item, on disk when this returns.
    private func write(_ batch: AnsweredBatch, to file: AppendFile?, _ outcome: inout Outcome) throws {
        var next = 0
        for loaded in batch.items {
            var object = JSONObject()
            object["id"] = .string(loaded.item.id)
            if let image = loaded.item.images.first { object["image"] = .string(image.description) }
            if loaded.item.images.count > 1 {
                object["images"] = .array(loaded.item.images.map { .string($0.description) })
            }
            if field != "caption" { object["question"] = .string(loaded.item.question) }
            if let failure = loaded.failure {
                outcome.failed += 1
                object["error"] = .string(failure.problem)
                Console.report(failure)
            } else {
                let answer = batch.answers[next]
                next += 1
                if let note = loaded.note { Console.error(note) }
                outcome.done += 1
                outcome.tokens += answer.tokenCount
                object[field] = .string(answer.text)
                object["tokens"] = .int(answer.tokenCount)
                object["finish"] = .string(answer.reason.rawValue)
                if !loaded.item.references.isEmpty {
                    object["references"] = .array(loaded.item.references.map { .string($0) })
                }
                if let kind = loaded.item.kind { object["kind"] = .string(kind) }
                if file == nil, !json, !batch.isShown {
                    let many = loaded.item.images.first.map { "\($0.description): " } ?? ""
                    Console.out((batch.items.count > 1 || loaded.index > 0 ? many : "") + answer.text)
                }
            }
            if let mark { object["made_by"] = .string(mark.mark(loaded.item)) }
            let line = JSON.object(object).serialized()
            try file?.appendLine(line)
            if file == nil && json { Console.out(line) }
        }
        try file?.flush()
    }

    /// Questions of one adapter are answered together, in the order in which the batch first names it.
    func answers(
        to items: [LoadedItem], with answerers: inout [String: Answerer], onText: ((Int, String) -> Void)?
    ) throws -> [Answer] {
        var names: [String?] = []
        for item in items where !names.contains(item.item.adapter) { names.append(item.item.adapter) }
        var answers = [Answer?](repeating: nil, count: items.count)
        for name in names {
            try adapters?.use(name)
            let answerer = try answerer(for: name, among: &answerers)
            let places = items.indices.filter { items[$0].item.adapter == name }
            let own = try answerer.answer(places.map { question(items[$0]) }, onText: onText)
            for (place, answer) in zip(places, own) { answers[place] = answer }
        }
        return answers.compactMap { $0 }
    }

    /// The answerer of an adapter, made when it is first asked for.
    func answerer(for adapter: String?, among answerers: inout [String: Answerer]) throws -> Answerer {
        let answerer =
            try answerers[adapter ?? ""]
            ?? Answerer(bundle, options.settings, template: options.template, stopStrings: options.stopStrings)
        answerers[adapter ?? ""] = answerer
        return answerer
    }

    func question(_ item: LoadedItem) -> Question {
        Question(item.item.question, pictures: item.pictures, stream: UInt64(item.index))
    }

    private func check(_ name: String) throws {
        if let adapters { return try adapters.check(name) }
        guard name != AdapterSwitch.none else { return }
        throw UserError(
            "a question chooses the adapter \"\(name)\", and none has a name",
            fix: "name it: --adapter \(name)=folder")
    }
}
