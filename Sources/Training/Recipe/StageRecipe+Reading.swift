import Basics
import InstructionData
import NeuralNetwork
import Tokenization
import VisionLanguage
import Yams

extension StageRecipe {
    /// Reads one stage; faults go to the reader.
    init(_ reader: RecipeReader) {
        name = reader.string("name") ?? ""
        if name.isEmpty {
            reader.add("a stage needs a name", fix: "add \"name: align\"")
        } else if !name.allSatisfy({ $0.isLetter || $0.isNumber || "-_".contains($0) }) {
            reader.add("\"\(name)\" is no folder name", fix: "use letters, digits, - and _", key: "name")
        }
        objective = reader.choice("objective", or: StageObjective.instruct)
        train = reader.strings("train") ?? []
        tune = TuneReading.rules(reader)
        if train.isEmpty && tune.isEmpty && reader.node("tune") == nil {
            reader.add("\"train\" names nothing", fix: "for example train: [projector], or tune: {language: lora}")
        }
        freeze = reader.strings("freeze") ?? []
        data = reader.items("data").compactMap { DataSource($1, path: $0, reader) }
        if data.isEmpty {
            reader.add("\"data\" names no data", fix: "for example data: [Datasets/shapes/captions.jsonl]")
        }
        mixing =
            reader.mapping("mixing") {
                MixingRule(cap: $0.int("cap", minimum: 1), temperature: $0.double("temperature"))
            } ?? MixingRule()
        learningRate = LearningRateRecipe(reader)
        optimizer = OptimizerRecipe(reader)
        gradientClip = reader.double("gradient_clip")
        batchSize = reader.int("batch_size", minimum: 1, maximum: 1_000_000, or: 32)
        accumulate = reader.int("accumulate", minimum: 1, maximum: 1_000_000, or: 1)
        packTokens = reader.int("pack_tokens", minimum: 1)
        if packTokens != nil, objective != .instruct {
            reader.add(
                "conversations are packed, \(objective.rawValue) is not", fix: "remove pack_tokens", key: "pack_tokens")
        }
        steps = reader.int("steps", minimum: 1)
        if reader.node("steps") == nil {
            epochs = reader.double("epochs", maximum: 1e6, or: 1)
        } else {
            epochs = 1
            if reader.node("epochs") != nil {
                reader.add("\"steps\" and \"epochs\" both say how long it trains", fix: "keep one", key: "epochs")
            }
        }
        maximumTokens = reader.int("max_tokens", minimum: 2, or: 2_048)
        template = reader.string("template")
        let templates = ChatTemplateName.allCases.map(\.rawValue) + [ModelBundle.folderTemplateName]
        if let template, !templates.contains(template) {
            reader.add(
                "unknown value \"\(template)\"", fix: Suggestion.fix(for: template, among: templates), key: "template")
        }
        shufflesTurns = reader.bool("shuffle_turns", or: false)
        let augmentation =
            reader.mapping("augment") { ($0.bool("flip") ?? false, $0.int("shift", minimum: 0, maximum: 10_000) ?? 0) }
            ?? (false, 0)
        (flipsPictures, shiftsPictures) = augmentation
        recomputesActivations = reader.bool("recompute_activations", or: false)
        onError = reader.choice("on_error", or: BrokenRecordRule.skip)
        errorLimit = reader.int("error_limit", or: 100)
        pictureCache = reader.int("picture_cache_mb", or: 512)
        cachesFeatures = reader.bool("cache_features", or: false)
        featureCacheLimit = reader.int("cache_features_gb", minimum: 1, maximum: 1_000_000, or: 16)
        if cachesFeatures && (flipsPictures || shiftsPictures > 0) {
            reader.add(
                "cache_features keeps what the tower makes of pictures as they are, and augment changes them",
                fix: "remove one of the two", key: "cache_features")
        }
        evaluation = reader.mapping("evaluate") { EvaluationRecipe($0) } ?? nil
        checkpointEvery = reader.int("checkpoint_every", minimum: 1)
        checkpointMinutes = reader.double("checkpoint_minutes", or: 15)
        checkpointKeep = reader.int("checkpoint_keep", minimum: 1, or: 2)
        logEvery = reader.int("log_every", minimum: 1, or: 10)
    }
}

extension LearningRateRecipe {
    fileprivate init(_ stage: RecipeReader) {
        self.init(peak: 1e-3, parts: [:], warmup: 0.03, decay: .cosine, floor: 0)
        guard let node = stage.node("learning_rate") else {
            stage.add("\"learning_rate\" is missing", fix: "for example learning_rate: {peak: 1e-3}")
            return
        }
        if node.float != nil {
            if let value = stage.double("learning_rate") { peak = value }
            return
        }
        let given = stage.mapping("learning_rate") { reader in
            var result = LearningRateRecipe(peak: 0, parts: [:], warmup: 0.03, decay: .cosine, floor: 0)
            if let peak = reader.double("peak") { result.peak = peak }
            if reader.node("peak") == nil { reader.add("\"peak\" is missing", fix: "for example peak: 1e-3") }
            for part in ["vision", "projector", "language"] { result.parts[part] = reader.double(part) }
            result.warmup = reader.double("warmup", maximum: 1, or: 0.03)
            result.decay = reader.choice("decay", or: Schedule.Decay.cosine)
            result.floor = reader.double("floor", maximum: 1, or: 0)
            return result
        }
        if let given { self = given }
    }
}

extension DataSource {
    fileprivate init?(_ node: Node, path: String, _ parent: RecipeReader) {
        if let scalar = node.scalar {
            self.init(path: scalar.string, images: nil, weight: 1, select: "all")
            return
        }
        let reader = RecipeReader(node, path: path, faults: parent.faults)
        defer { reader.finish() }
        guard let file = reader.string("path") else {
            reader.add("\"path\" is missing")
            return nil
        }
        let (images, select) = (reader.string("images"), reader.string("select") ?? "all")
        if let fault = images.flatMap({ ImageReference.folderFault(of: $0) }) { reader.add(fault, key: "images") }
        do throws(UserError) { _ = try Selection(select) } catch { reader.add(error, key: "select") }
        self.init(path: file, images: images, weight: reader.double("weight") ?? 1, select: select)
    }
}

extension EvaluationRecipe {
    fileprivate init?(_ reader: RecipeReader) {
        let every = reader.int("every", minimum: 1, or: 500)
        let limit = reader.int("limit", minimum: 1)
        let metrics = reader.strings("metrics") ?? []
        let longest = reader.int("max_new_tokens", minimum: 1, or: 32)
        let sources = reader.items("data")
        if sources.count > 1 {
            reader.add("an evaluation reads one data set, not \(sources.count)", fix: "keep one", key: "data")
        }
        guard let (path, node) = sources.first, let data = DataSource(node, path: path, reader) else {
            if sources.isEmpty { reader.add("\"data\" is missing") }
            return nil
        }
        self.init(data: data, every: every, limit: limit, metrics: metrics, maximumNewTokens: longest)
    }
}
