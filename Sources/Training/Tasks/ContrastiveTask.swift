import Basics
import InstructionData
import NeuralNetwork
import TensorCore
import Tokenization
import VisionLanguage

/// SigLIP-style pretraining of the tower: pictures and captions of a batch, each pair a yes-or-no question (Zhai et al. 2023).
///
/// The decoder reads the caption and its state at the last token, projected, is the text's vector; so no second text model is needed.
final class ContrastiveTask: StageTask {
    let totalSteps: Int
    let stepsPerEpoch: Double
    private(set) var position: Int

    private let bundle: ModelBundle
    private let head: ContrastiveHead
    private let collator: Collator
    private let loader: SampleLoader
    private let batcher: TokenBudgetBatcher

    init(_ stage: StageRecipe, _ context: StageContext, from position: Int) throws {
        bundle = context.bundle
        guard let vision = bundle.model.vision else {
            throw UserError(
                "stage \"\(stage.name)\": a contrastive stage trains a vision tower, and this model has none",
                fix: "add \"vision:\" to the recipe's model")
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
        let packed = collator.pack(batch.samples.filter { $0.pixels.count == 1 }[...])
        guard let group = packed.pictures.first, let vision = model.vision else {
            throw UserError("a contrastive batch without pictures", fix: "use records with one picture and a caption")
        }
        let texts = batch.samples.filter { $0.pixels.count == 1 }.map { sample in
            zip(sample.text.ids, sample.text.supervised).filter(\.1).map(\.0)
        }
        let pixels = Tensor(
            group.pixels, shape: [group.count, vision.configuration.channels, group.height, group.width],
            on: model.backend)
        let loss = head.loss(pictures: vision.pooled(pixels), texts: textStates(texts))
        loss.backward()
        let tokens = texts.reduce(0) { $0 + $1.count } + packed.ids.count { $0 < 0 }
        return StepLoss(sum: Double(loss.scalar), weight: 1, tokens: tokens, pictures: group.count)
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

    func loss(pictures: Tensor, texts: Tensor) -> Tensor {
        sigmoidContrastiveLoss(
            images: normalizedRows(image(pictures)), texts: normalizedRows(text(texts)),
            logTemperature: logTemperature.tensor, bias: bias.tensor)
    }
}
