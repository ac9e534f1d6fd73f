public import Basics
public import NeuralNetwork
public import Tokenization
public import Tuning
public import VisionLanguage

/// A training run as data: which model, and the stages that change it.
public struct Recipe: Sendable {
    /// The file it was read from.
    public var source: String
    /// Where the model comes from.
    public var model: ModelSource
    /// Seed of weights, order and dropout.
    public var seed: UInt64
    /// How factors of matrix products are rounded.
    public var precision: Precision
    /// Threads; nil for all cores.
    public var threads: Int?
    /// Where the run folder goes; nil for `runs/<recipe name>`.
    public var output: String?
    /// What the finished model is asked for a caption; nil for what its folder says.
    public var captionPrompt: String?
    /// The stages, in order.
    public var stages: [StageRecipe]
    /// The recipe with overrides applied, as YAML: what a resumed run must be equal in.
    public var resolved: String
    /// The same with the values that were assumed written out, so that a later version's defaults change nothing.
    public var complete: String

    /// The place of a stage.
    /// - Throws: an error with the nearest name when there is none of this name.
    public func index(ofStage name: String) throws(UserError) -> Int {
        let names = stages.map(\.name)
        guard let index = names.firstIndex(of: name) else {
            throw UserError("the recipe has no stage \"\(name)\"", fix: Suggestion.fix(for: name, among: names))
        }
        return index
    }

    /// Tells it from other recipes.
    var digest: String { SHA256.hex(of: Array(resolved.utf8)) }

    /// How factors of matrix products are rounded.
    public enum Precision: String, Sendable, CaseIterable {
        case float32
        case bfloat16
    }
}

/// Where a recipe's model comes from.
public enum ModelSource: Equatable, Sendable {
    /// One folder with a whole model.
    case folder(ModelFolder)
    /// Parts, joined by a fresh projector.
    case parts(ModelParts)
}

/// A whole model, and what is added to it.
public struct ModelFolder: Equatable, Sendable {
    /// The folder.
    public var path: String
    /// The tower's folder, for LLaVA's own layout, which leaves it out.
    public var vision: String?
    /// Tokens that the model gets, and what the embedding's rows are rounded up to.
    public var vocabulary: VocabularyGrowth

    /// A folder as it is.
    public init(_ path: String, vision: String? = nil, vocabulary: VocabularyGrowth = VocabularyGrowth()) {
        self.path = path
        self.vision = vision
        self.vocabulary = vocabulary
    }
}

/// A model put together from parts.
public struct ModelParts: Equatable, Sendable {
    /// The tower: a folder, or a shape.
    public var vision: PartSource?
    /// The decoder: a folder, or a shape.
    public var language: PartSource
    /// The projector.
    public var projector: ProjectorConfiguration
    /// Folder with `tokenizer.json`; nil takes the language folder's.
    public var tokenizer: String?
    /// Chat template of stages and inference.
    public var template: ChatTemplateName
    /// How pictures become squares.
    public var imageMode: ModelBundle.ImageMode
    /// Which hidden state of the tower is used, by Hugging Face's count.
    public var featureLayer: Int?
    /// Tokens that the model gets, and what the embedding's rows are rounded up to.
    public var vocabulary: VocabularyGrowth
}

/// A part of a model: pretrained, or a shape to start from random weights.
public enum PartSource: Equatable, Sendable {
    /// A folder in Hugging Face layout.
    case folder(String)
    /// Keys of that family's `config.json`.
    case shape(JSON)
}

/// What a stage learns from.
public enum StageObjective: String, Sendable, CaseIterable {
    /// Answers of conversations about pictures.
    case instruct
    /// Every next token of plain texts.
    case language
    /// Pictures and captions that belong together (SigLIP).
    case contrastive
}

/// One stage of a run.
public struct StageRecipe: Sendable {
    /// Its name, unique in the recipe; a folder name.
    public var name: String
    /// What it learns from.
    public var objective: StageObjective
    /// Parts (`vision`, `projector`, `language`) or patterns over parameter paths that are trained.
    public var train: [String]
    /// Efficient methods by part or pattern; with them, the base is frozen but for what `train` names.
    public var tune: [TuningRule]
    /// Patterns over parameter paths that stay as they are though `train` names them.
    public var freeze: [String]
    /// Training data.
    public var data: [DataSource]
    /// How several data sets are mixed.
    public var mixing: MixingRule
    /// Learning rates.
    public var learningRate: LearningRateRecipe
    /// The optimizer and its settings.
    public var optimizer: OptimizerRecipe
    /// Largest gradient norm; nil for no clipping.
    public var gradientClip: Double?
    /// Conversations an optimizer step.
    public var batchSize: Int
    /// Parts that a batch is computed in; more parts take less memory and give the same result.
    public var accumulate: Int
    /// Tokens computed side by side at most: a batch that holds more is computed in several parts, which changes its
    /// memory and not its result. nil for no limit.
    public var packTokens: Int?
    /// Passes over the data where `steps` does not say how long.
    public var epochs: Double
    /// Optimizer steps.
    public var steps: Int?
    /// Longest sequence, visual tokens included.
    public var maximumTokens: Int
    /// Chat template; nil for the model's own.
    public var template: String?
    /// Whether the questions of a conversation change places each epoch.
    public var shufflesTurns: Bool
    /// Whether pictures are mirrored at random.
    public var flipsPictures: Bool
    /// Largest random shift of pictures, in pixels.
    public var shiftsPictures: Int
    /// Whether activations are computed again in the backward pass.
    public var recomputesActivations: Bool
    /// What happens to a broken record.
    public var onError: BrokenRecordRule
    /// How many broken records are too many.
    public var errorLimit: Int
    /// Megabytes of processed pictures kept in memory.
    public var pictureCache: Int
    /// Whether a frozen tower's features are kept on disk, in the run's folder.
    public var cachesFeatures: Bool
    /// Gigabytes of features kept at most.
    public var featureCacheLimit: Int
    /// Evaluation during the stage.
    public var evaluation: EvaluationRecipe?
    /// Steps between checkpoints, besides those at a new best and at the end of the stage; nil for none by count.
    public var checkpointEvery: Int?
    /// Minutes between checkpoints, whichever comes first; 0 for none by time.
    public var checkpointMinutes: Double
    /// Checkpoints kept besides the best.
    public var checkpointKeep: Int
    /// Steps between lines on a console that is not a terminal.
    public var logEvery: Int
}

/// What happens to a record or picture that cannot be used.
public enum BrokenRecordRule: String, Sendable, CaseIterable {
    /// It is left out and counted.
    case skip
    /// Another record takes its place.
    case replace
    /// The run ends.
    case fail
}

/// One data set of a stage.
public struct DataSource: Hashable, Sendable {
    /// A JSON or JSONL file, or a folder with `records.jsonl`.
    public var path: String
    /// Folder that picture paths are relative to; nil for the file's own.
    public var images: String?
    /// Its weight in a mixture.
    public var weight: Double
    /// Which of its records: `all`, `first:1000`, `random:10%`.
    public var select: String
}

/// How several data sets are mixed.
public struct MixingRule: Hashable, Sendable {
    /// Cap of the proportional rule (Flan).
    public var cap: Int?
    /// Temperature of the shares.
    public var temperature: Double?
}

/// Learning rates of a stage.
public struct LearningRateRecipe: Hashable, Sendable {
    /// Highest rate.
    public var peak: Double
    /// Highest rate of single parts.
    public var parts: [String: Double]
    /// Share of the steps in which it rises.
    public var warmup: Double
    /// How it falls.
    public var decay: Schedule.Decay
    /// Share of the peak at which the fall ends.
    public var floor: Double
}

/// The optimizer and its settings.
public struct OptimizerRecipe: Hashable, Sendable {
    /// Which it is.
    public var kind: Kind
    /// Decay of the first moment.
    public var beta1: Double
    /// Decay of the second moment.
    public var beta2: Double
    /// Added to the root of the second moment.
    public var epsilon: Double
    /// Decoupled weight decay of matrices.
    public var weightDecay: Double
    /// Muon's momentum.
    public var momentum: Double
    /// Rank of GaLore's subspaces.
    public var rank: Int
    /// Steps between GaLore's searches.
    public var interval: Int
    /// GaLore's factor on updates.
    public var scale: Double

    /// The optimizers by name.
    public enum Kind: String, Sendable, CaseIterable {
        case adamw
        case adamw8bit
        case adafactor
        case lion
        case muon
        case galore
        case lomo
        case adalomo
    }
}

/// Evaluation during a stage.
public struct EvaluationRecipe: Hashable, Sendable {
    /// Conversations for the loss, or questions with answers for the metrics.
    public var data: DataSource
    /// Steps between evaluations.
    public var every: Int
    /// Most records to look at.
    public var limit: Int?
    /// Metrics on generated answers; none means the loss only.
    public var metrics: [String]
    /// Longest answer.
    public var maximumNewTokens: Int
}
