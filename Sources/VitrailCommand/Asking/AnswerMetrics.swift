import ArgumentParser
import Basics
import Evaluation
import Imaging
import InstructionData
import Training
import VisionLanguage

/// Generated answers measured during training, and the samples that a report shows.
enum AnswerMetrics {
    /// Refuses a recipe whose evaluations name metrics that there are not, or questions that cannot be read, before anything is trained.
    static func check(_ recipe: Recipe) throws {
        for case let evaluation? in recipe.stages.map(\.evaluation) where !evaluation.metrics.isEmpty {
            _ = try MetricRegistry.metrics(named: evaluation.metrics.joined(separator: ","))
            // A file that is not there is told with all others.
            if Files.exists(evaluation.data.path) { _ = try items(evaluation) }
        }
    }

    /// What the trainer calls for a stage's `evaluate:` with metrics.
    static func measure(_ bundle: ModelBundle, _ recipe: EvaluationRecipe) throws -> [(name: String, value: Double)] {
        let answers = try predictions(bundle, recipe)
        return try MetricRegistry.metrics(named: recipe.metrics.joined(separator: ",")).map {
            ($0.name, try MetricReport($0, answers).score)
        }
    }

    /// Every question's pictures exchanged for those of another with as many; no question keeps its own where there are others.
    ///
    /// - Throws: `UserError` where nothing can be exchanged.
    static func shuffled(_ items: [AnswerItem], seed: UInt64) throws -> [AnswerItem] {
        var result = items
        var generator = RandomGenerator(seed: seed)
        for count in Set(items.map(\.images.count)).sorted() where count > 0 {
            var order = items.indices.filter { items[$0].images.count == count }
            generator.shuffle(&order)
            for (place, index) in order.enumerated() {
                // The next question in the shuffled order that is about another picture gives its own.
                var next = 1
                while next < order.count, items[order[(place + next) % order.count]].images == items[index].images {
                    next += 1
                }
                result[index].images = items[order[(place + next) % order.count]].images
            }
        }
        guard zip(items, result).contains(where: { $0.images != $1.images }) else {
            throw UserError(
                "no two questions are about different pictures, so none can be exchanged",
                fix: "leave --shuffle-images out, or ask about more pictures")
        }
        return result
    }

    /// Answers to the first questions of the last stage whose evaluation asks some, for the report.
    static func samples(_ recipe: Recipe, _ bundle: ModelBundle, count: Int = 24) throws -> [ReportSample] {
        guard var evaluation = recipe.stages.compactMap(\.evaluation).last(where: { !$0.metrics.isEmpty }) else {
            return []
        }
        evaluation.limit = min(count, evaluation.limit ?? count)
        let items = try self.items(evaluation)
        let answers = Dictionary(
            try predictions(bundle, evaluation).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        return items.compactMap { item in
            // A question whose picture is broken has no answer.
            guard let answer = answers[item.id], case .file(let path)? = item.images.first,
                let bytes = try? Files.read(path)
            else { return nil }
            return ReportSample(
                picture: bytes, isPNG: bytes.first == 0x89, question: item.question, answer: answer.prediction,
                references: item.references)
        }
    }

    private static func items(_ recipe: EvaluationRecipe) throws -> [AnswerItem] {
        var items = try QuestionFile.read(recipe.data.path, images: recipe.data.images)
        if let limit = recipe.limit { items = Array(items.prefix(limit)) }
        return items
    }

    private static func predictions(_ bundle: ModelBundle, _ recipe: EvaluationRecipe) throws -> [Prediction] {
        let items = try items(recipe)
        var options = try GenerationOptions.parse([])
        options.maxNewTokens = recipe.maximumNewTokens
        options.batch = 64
        let folder = try Files.makeTemporaryDirectory()
        defer { try? Files.remove(folder) }
        let file = Paths.join(folder, "predictions.jsonl")
        // To its end even when the run is asked to stop: a resumed run has the same evaluations as an uninterrupted one.
        let job = AnswerJob(
            bundle: bundle, options: options, output: file, field: "prediction", json: false, stopsWhenAsked: false)
        let outcome = try job.run(items)
        guard outcome.done > 0 else {
            throw UserError(
                "\(recipe.data.path): no question of the evaluation could be asked",
                fix: "correct what is named above")
        }
        guard outcome.failed > 0 else { return try answered(file) }
        Console.error(
            "  \(outcome.failed) of \(items.count.counted("question")) left out of the evaluation, with pictures that cannot be used"
        )
        return try answered(file)
    }

    /// What a file of answers holds, besides questions that could not be asked.
    static func answered(_ file: String) throws -> [Prediction] {
        let lines = try Files.readLines(file, limit: .max).map(\.text)
        let answered = try lines.filter { try JSON.parse($0, source: file)["error"] == nil }
        guard answered.count < lines.count else { return try Prediction.read(file) }
        let folder = try Files.makeTemporaryDirectory()
        defer { try? Files.remove(folder) }
        let copy = Paths.join(folder, "predictions.jsonl")
        try Files.write(answered.map { $0 + "\n" }.joined(), to: copy)
        return try Prediction.read(copy)
    }
}
