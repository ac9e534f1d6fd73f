import Basics
import NeuralNetwork
public import TensorCore
import Tuning
public import VisionLanguage

extension Recipe {
    /// Chooses the weights that a stage keeps as codes only: they are read, quantised and dropped one after another, so that the
    /// floats of the whole model are never in memory.
    func quantizedWeights(stage index: Int) -> ((ParameterTree) -> [Parameter])? {
        guard stages.indices.contains(index), stages[index].train.isEmpty, !stages[index].tune.isEmpty else {
            return nil
        }
        let rules = stages[index].tune
        return { QLoRA.quantizedWeights(of: $0, by: rules) }
    }

    /// The model that the first stage starts from.
    public func makeModel(on backend: any Backend) throws -> ModelBundle {
        switch model {
        case .folder(let folder):
            return try ModelBundle.open(
                folder.path, tower: folder.vision, vocabulary: folder.vocabulary, leaving: quantizedWeights(stage: 0),
                on: backend)
        case .parts(let parts):
            return try ModelBundle.join(
                vision: parts.vision.map(\.part), language: parts.language.part, projector: parts.projector,
                tokenizer: parts.tokenizer, template: parts.template, imageMode: parts.imageMode,
                featureLayer: parts.featureLayer, vocabulary: parts.vocabulary, seed: seed, on: backend)
        }
    }
}

extension PartSource {
    var part: ModelBundle.Part {
        switch self {
        case .folder(let folder): .folder(folder)
        case .shape(let json): .shape(json)
        }
    }
}
