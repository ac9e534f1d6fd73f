import Basics
import InstructionData
import NeuralNetwork
import TensorCore
import Tokenization
import VisionLanguage

/// SigLIP-style pretraining of the tower: pictures and texts of a batch, each pair a yes-or-no question (Zhai et al. 2023).
///
/// Each line of a record's caption is a text of its own, so a picture may have one caption or many short true statements. Equal
/// texts of a batch count once, for all their pictures: a text is wrong for a picture when the picture doesn't list it (as in UniCL,
/// Yang et al. 2022). The decoder reads the text and its state at the last token, projected, is the text's vector; so no second text
/// model is needed.
final class ContrastiveTask: StageTask {
    let totalSteps: Int
    let stepsPerEpoch: Double
    private(set) var position: Int

    private let bundle: ModelBundle
    private let head: ContrastiveHead
    private let collator: Collator
    private let loader: SampleLoader
    private let batcher: TokenBudgetBatcher
    private var lineEnds: [Int32: Bool] = [:]

    init(_ stage: StageRecipe, _ context: StageContext, from position: Int) throws {
        bundle = context.bundle
        guard let vision = bundle.model.vision else {
            throw UserError(
                "stage \"\(stage.name)\": a contrastive stage trains a vision tower, and this model has none",
                fix: "add \"vision:\" to the recipe's model")
        }
        guard bundle.pictureLayout?.dependsOnSize != true else {
            throw UserError(
                "stage \"\(stage.name)\": a contrastive stage takes whole pictures, and this model cuts them into tiles",
                fix: "pretrain the tower in a model of its own, joined from its folder")
        }
        guard stage.accumulate == 1 else {
            throw UserError(
                "stage \"\(stage.name)\": a contrastive batch cannot be divided, each picture meets every text",
                fix: "remove accumulate, or lower batch_size")
        }
        head = ContrastiveHead(
            visionSize: vision.configuration.hiddenSize, textSize: bundle.model.configuration.language.hiddenSize,
            width: vision.configuration.hiddenSize,
            Initializer(backend: bundle.model.backend, seed: context.seed))
        var plain = stage
        plain.template = ChatTemplateName.plain.rawValue
        let data = try StageData(plain, context)
        collator = data.collator
        stepsPerEpoch = Double(data.order.samplesPerEpoch) / Double(stage.batchSize)
        totalSteps = stage.steps ?? Int((stepsPerEpoch * stage.epochs).rounded(.up))
        let samples = totalSteps * stage.batchSize
        self.position = position
        loader = try data.loader(positions: position..<max(position, samples))
        batcher = TokenBudgetBatcher(loader, limits: .init(samples: stage.batchSize))
    }

    var extraParameters: ParameterTree { head.parameters }
    var waitSeconds: Double { loader.statistics.waitSeconds }
    var counts: DataCounts {
        DataCounts(samples: loader.statistics.samples, rejected: loader.statistics.rejected)
    }

    func step() throws -> StepLoss? {
        guard let batch = try batcher.next() else { return nil }
        position = batch.nextPosition
        let model = bundle.model
        let samples = batch.samples.filter { $0.pixels.count == 1 }
        let packed = try collator.pack(samples[...])
        guard let group = packed.pictures.first, let vision = model.vision else {
            throw UserError("a contrastive batch without pictures", fix: "use records with one picture and a caption")
        }
        let statements = Statements(samples.map { lines(of: $0.text) })
        let pixels = group.tensor(for: vision.configuration, on: model.backend)
        let loss = head.loss(
            pictures: vision.pooled(pixels), texts: textStates(statements.texts),
            targets: Tensor(
                statements.targets, shape: [group.count, statements.texts.count], on: model.backend))
        loss.backward()
        let tokens = statements.texts.reduce(0) { $0 + $1.count } + packed.ids.count { $0 < 0 }
        return StepLoss(sum: Double(loss.scalar), weight: 1, tokens: tokens, pictures: group.count)
    }

    /// The supervised ids of a caption, cut behind each line's end.
    private func lines(of text: RenderedConversation) -> [[Int32]] {
        var lines: [[Int32]] = [[]]
        for (id, supervised) in zip(text.ids, text.supervised) where supervised {
            lines[lines.count - 1].append(id)
            if endsLine(id) { lines.append([]) }
        }
        return lines.filter { !$0.isEmpty }
    }

    private func endsLine(_ id: Int32) -> Bool {
        if let known = lineEnds[id] { return known }
        let ends = bundle.tokenizer.decode([id]).hasSuffix("\n")
        lineEnds[id] = ends
        return ends
    }

    /// The decoder's state at the last token of each caption, `[captions, hidden]`.
    private func textStates(_ texts: [[Int32]]) -> Tensor {
        let model = bundle.model
        var offsets: [Int32] = [0]
        for text in texts { offsets.append(offsets.last! + Int32(text.count)) }
        let ids = texts.flatMap { $0 }
        let packed = PackedBatch(ids: ids, labels: ids.map { _ in -1 }, offsets: offsets, pictures: [])
        let last = Tensor(offsets.dropFirst().map { $0 - 1 }, on: model.backend)
        return gatherRows(model.hiddenStates(packed), indices: last)
    }
}

/// Projections into one space, and the scale and offset of the similarities.
final class ContrastiveHead: Module {
    private let image: Linear
    private let text: Linear
    private let logTemperature: Parameter
    private let bias: Parameter

    init(visionSize: Int, textSize: Int, width: Int, _ initializer: Initializer) {
        func map(_ inputs: Int) -> Linear {
            Linear(
                inputs: inputs, outputs: width, hasBias: false, initializer)
        }
        image = map(visionSize)
        text = map(textSize)
        logTemperature = initializer.constant([1], 2.302_585)  // t = 10 and b = −10, as the paper starts them
        bias = initializer.constant([1], -10)
    }

    var parameters: ParameterTree {
        ["image": image, "text": text, "logTemperature": logTemperature, "bias": bias]
    }

    func loss(pictures: Tensor, texts: Tensor, targets: Tensor) -> Tensor {
        sigmoidContrastiveLoss(
            images: normalizedRows(image(pictures)), texts: normalizedRows(text(texts)), targets: targets,
            logTemperature: logTemperature.tensor, bias: bias.tensor)
    }
}
