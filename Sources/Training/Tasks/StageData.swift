import Basics
import InstructionData
import NeuralNetwork
import TensorCore
import Tokenization
import VisionLanguage

/// What a stage needs from the run around it.
struct StageContext {
    let bundle: ModelBundle
    let seed: UInt64
    let folder: RunFolder
    let workers: Int
}

/// The data sets of a stage, mixed, ordered and ready to load.
struct StageData {
    let order: TrainingOrder
    let collator: Collator
    private let source: SampleSource
    private let options: SampleLoader.Options
    private let log: RejectionLog

    /// - Parameter isEvaluation: whether the stage is measured on the data: broken records are then listed as such, and counted by themselves.
    init(_ stage: StageRecipe, _ context: StageContext, isEvaluation: Bool = false) throws {
        let datasets = try stage.data.map { try Self.open($0) }
        let components = try zip(stage.data, datasets).map { source, dataset in
            Mixture.Component(
                name: source.path, count: dataset.count, selection: try Selection(source.select),
                weight: source.weight)
        }
        let rule: Mixture.Rule =
            stage.mixing.temperature.map { .temperature($0, cap: stage.mixing.cap) }
            ?? stage.mixing.cap.map { .proportional(cap: $0) } ?? .weights
        order = TrainingOrder(try Mixture(components, rule: rule), seed: context.seed)
        let bundle = context.bundle
        let template = try bundle.template(named: stage.template)
        source = SampleSource(
            datasets: datasets,
            recipe: try ConversationRecipe(bundle, template: template, maximumTokens: stage.maximumTokens),
            turns: stage.shufflesTurns ? TurnShuffler(seed: context.seed) : nil,
            cache: stage.pictureCache > 0 ? PictureCache(byteLimit: stage.pictureCache << 20) : nil)
        let policy: FaultPolicy =
            switch stage.onError {
            case .fail: .fail
            case .replace: .replace(limit: stage.errorLimit)
            case .skip: .skip(limit: stage.errorLimit)
            }
        options = SampleLoader.Options(
            workers: context.workers, ahead: max(64, 2 * stage.batchSize), policy: policy)
        log = try RejectionLog(path: context.folder.rejections, stage: stage.name, isEvaluation: isEvaluation)
        collator = Collator(layout: bundle.pictureLayout)
    }

    func loader(positions: Range<Int>) throws -> SampleLoader {
        try SampleLoader(source: source, order: order, positions: positions, options: options, log: log)
    }

    /// Opens a file, or the `records.jsonl` of a folder.
    static func open(_ source: DataSource) throws -> InstructionDataset {
        var path = source.path
        if Files.isDirectory(path) { path = Paths.join(path, "records.jsonl") }
        let dataset = try InstructionDataset(path, options: .init(imageFolder: source.images))
        guard dataset.count > 0 else {
            throw UserError("\(path): no records", fix: "name a file with at least one conversation")
        }
        return dataset
    }
}
