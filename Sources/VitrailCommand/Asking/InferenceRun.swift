import ArgumentParser
import Basics
import InstructionData
import VisionLanguage

/// What `caption` and `answer` share: open, run, report, exit code.
struct InferenceRun {
    let model: String
    let output: String?
    /// Name of the answer in the output.
    let field: String
    /// What a result is called in words.
    let noun: String
    let json: Bool
    let generation: GenerationOptions
    let adapters: AdapterOptions
    let quantization: QuantizeOptions
    let runtime: RuntimeOptions

    /// - Parameters:
    ///   - sees: whether anything is asked about pictures.
    ///   - leftOut: pictures that cannot be asked about, and were told of.
    ///   - store: where pictures come from, with archives that are open already.
    ///   - items: what the opened model is asked.
    func run(
        sees: Bool = true, leftOut: Int = 0, store: ImageStore = ImageStore(),
        _ items: (ModelBundle) throws -> [AnswerItem]
    ) throws {
        // Pieces of all weights are read, beside which all threads load them.
        let marks = output.map { [model, adapters] _ in
            Background { try AnswerMark.models(in: model, adapters) }
        }
        let (bundle, changes) = try quantization.openSwitching(model, adapters, runtime, sees: sees)
        let items = try items(bundle)
        if bundle.model.configuration.vision == nil, items.contains(where: { !$0.images.isEmpty }) {
            throw UserError(
                "\(model): this model has no vision tower, so it cannot look at pictures",
                fix: "take a model with one, or ask without pictures: vitrail answer --question …")
        }
        Interruption.listen()
        let mark = try marks.map { AnswerMark(try $0.wait(), bundle, generation, quantization) }
        let job = AnswerJob(
            bundle: bundle, options: generation, output: output, field: field, json: json, mark: mark,
            adapters: changes, store: store)
        let outcome = try job.run(items)
        if let output { report(outcome, output) }
        if Interruption.isRequested { throw RunStopped(goesOn: output != nil) }
        if outcome.failed + outcome.failedBefore + leftOut > 0 { throw ExitCode(ExitStatus.failed) }
    }

    private func report(_ outcome: AnswerJob.Outcome, _ output: String) {
        let rate = Double(outcome.done) / max(outcome.seconds, 1e-9)
        var text = "\(outcome.done.counted(noun)) in \(Formatting.duration(outcome.seconds)) "
        text += "(\(Formatting.decimal(rate, 1)) a second) → \(output)"
        if outcome.skipped > 0 { text += "; \(Formatting.count(outcome.skipped)) there already" }
        if outcome.failed > 0 { text += "; \(outcome.failed) failed" }
        Console.error(text)
        if outcome.failedBefore > 0 {
            Console.error(
                "\(outcome.failedBefore) of those there have an \"error\" instead; delete their lines to try them again"
            )
        }
    }
}
