import Basics
public import TensorCore
import Tokenization
public import VisionLanguage

extension Recipe {
    /// The model that the first stage starts from.
    public func makeModel(on backend: any Backend) throws -> ModelBundle {
        switch model {
        case .folder(let folder):
            return try ModelBundle.open(
                folder.path, tower: folder.vision, vocabulary: folder.vocabulary, on: backend)
        case .parts(let parts):
            let name = parts.template ?? ChatTemplateName.vicuna.rawValue
            guard let template = ChatTemplateName(rawValue: name) else {
                let names = ChatTemplateName.allCases.map(\.rawValue)
                throw UserError(
                    "\(source): unknown template \"\(name)\"", fix: "one of \(names.joined(separator: ", "))")
            }
            let projector: ProjectorConfiguration =
                switch parts.projector {
                case "linear": .linear
                case "pixel_shuffle": .pixelShuffle(factor: parts.shuffleFactor)
                default: .mlp2xGelu
                }
            return try ModelBundle.join(
                vision: parts.vision.map(\.part), language: parts.language.part, projector: projector,
                tokenizer: parts.tokenizer,
                template: template, imageMode: parts.imageMode, featureLayer: parts.featureLayer,
                vocabulary: parts.vocabulary, seed: seed, on: backend)
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
