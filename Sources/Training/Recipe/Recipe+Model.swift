import Basics
public import TensorCore
public import VisionLanguage

extension Recipe {
    /// The model that the first stage starts from.
    public func makeModel(on backend: any Backend) throws -> ModelBundle {
        switch model {
        case .folder(let folder):
            return try ModelBundle.open(
                folder.path, tower: folder.vision, vocabulary: folder.vocabulary, on: backend)
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
