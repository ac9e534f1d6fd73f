public import Basics
import Checkpointing
import Imaging
import NeuralNetwork
public import TensorCore
public import Tokenization

extension ModelBundle {
    /// A part of a new model: a folder with pretrained weights, or a shape to start from random ones.
    public enum Part: Sendable {
        case folder(String)
        case shape(JSON)
    }

    /// How pictures become squares, for towers that bring no `preprocessor_config.json`.
    public enum ImageMode: String, Sendable, CaseIterable {
        /// Stretched.
        case square
        /// The middle is cut out (CLIP).
        case crop
        /// Borders are added (LLaVA 1.5).
        case pad
    }

    /// Puts a model together from a tower, a decoder and a fresh projector.
    ///
    /// - Parameters:
    ///   - imageMode: how pictures become squares.
    ///   - vocabulary: tokens to add, and what the embedding's rows are rounded up to.
    ///   - featureLayer: by Hugging Face's count; nil takes −2 of CLIP and −1 of SigLIP, as LLaVA's descendants do.
    public static func join(
        vision: Part?, language: Part, projector: ProjectorConfiguration, tokenizer tokenizerFolder: String?,
        template: ChatTemplateName, imageMode: ImageMode, featureLayer: Int?,
        vocabulary: VocabularyGrowth = VocabularyGrowth(), seed: UInt64, on backend: any Backend
    ) throws -> ModelBundle {
        let parts = (vision: vision, language: language)
        var vision = try vision.map { try VisionFamily.read(configuration($0, part: "vision_config")) }
        vision?.hasPoolingHead = false
        let language = (part: language, shape: try DecoderFamily.read(configuration(language, part: "text_config")))
        let features = VisionFeatures(
            layer: featureLayer ?? (vision?.hasClassToken == true ? -2 : -1), appliesPostNorm: false)
        let shape = ModelConfiguration(
            vision: vision, features: features, projector: projector, language: language.shape)
        let model = VisionLanguageModel(shape, Initializer(backend: backend, seed: seed))
        try fill(model, vision: parts.vision, language: parts.language)
        let bundle = try assemble(
            model, language: language.part, tokenizer: tokenizerFolder, template: template, imageMode: imageMode,
            vocabulary: vocabulary)
        bundle.growVocabulary(roundedTo: vocabulary.multiple)
        try bundle.check("the recipe's model")
        return bundle
    }

    /// Fills the parts that come from folders.
    private static func fill(_ model: VisionLanguageModel, vision: Part?, language: Part) throws {
        let tree = model.parameters
        if case .folder(let folder)? = vision, let shape = model.configuration.vision {
            var table = KeyTable.vision(channels: shape.channels, patchSize: shape.patchSize)
            table.aliases += [
                ("vision_tower.vision_model.", "vision_model."), ("vision_tower.", "vision_model."),
                ("model.vision_tower.", "vision_model."), ("model.vision_model.", "vision_model."),
            ]
            table.ignored += [
                "vision_model.head.**", "text_model.**", "language_model.**", "multi_modal_projector.**",
                "model.text_model.**", "model.connector.**", "lm_head.**", "image_newline", "model.image_newline",
                "model.language_model.**", "model.multi_modal_projector.**",
            ]
            .map { IgnoredKey($0, because: "only the tower is taken") }
            try tree.part("vision").load(from: TensorFolder(folder), table: table)
        }
        if case .folder(let folder) = language {
            var table = model.configuration.language.family.table
            table.aliases += [
                ("language_model.", ""), ("model.language_model.", "model."), ("model.text_model.", "model."),
            ]
            table.ignored += [
                "vision_tower.**", "multi_modal_projector.**", "model.vision_tower.**",
                "model.multi_modal_projector.**",
                "image_newline", "model.image_newline", "model.vision_model.**", "model.connector.**",
                "model.mm_projector.**",
            ]
            .map { IgnoredKey($0, because: "only the decoder is taken") }
            try tree.part("language").load(from: TensorFolder(folder), table: table)
        }
    }

    private static func assemble(
        _ model: VisionLanguageModel, language: Part, tokenizer tokenizerFolder: String?, template: ChatTemplateName,
        imageMode: ImageMode, vocabulary: VocabularyGrowth
    ) throws -> ModelBundle {
        var folder = tokenizerFolder
        if folder == nil, case .folder(let own) = language { folder = own }
        guard let folder else {
            throw UserError(
                "the recipe's model names no tokenizer", fix: "add \"tokenizer: FOLDER\" with a tokenizer.json")
        }
        var wanted = vocabulary.tokens
        // transformers looks the placeholder up in the embedding before it puts the picture there.
        if model.configuration.vision != nil { wanted.append(Conversation.imageMarker) }
        let (tokenizer, added) = try Tokenizer.open(folder, adding: wanted)
        let processor = model.configuration.vision.map { vision -> ImageProcessor in
            switch imageMode {
            case .square:
                vision.hasClassToken
                    ? ImageProcessor(resize: .exact(PixelSize(square: vision.imageSize)), normalization: .clip)
                    : .siglip(side: vision.imageSize)
            case .crop: .clip(side: vision.imageSize)
            case .pad: .llavaPad(side: vision.imageSize)
            }
        }
        return ModelBundle(
            model: model, tokenizer: tokenizer, processor: processor, template: template,
            imageTokenID: tokenizer.id(Conversation.imageMarker) ?? Int32(tokenizer.vocabularySize),
            sideFiles: try sideFiles(folder), addedTokens: added)
    }

    /// A part's configuration: the shape itself, the folder's `config.json`, or that part of a whole model's.
    private static func configuration(_ part: Part, part key: String) throws -> ConfigurationReader {
        switch part {
        case .shape(let json): return ConfigurationReader(json: json, source: "the recipe's model")
        case .folder(let folder):
            let path = Paths.join(folder, "config.json")
            let reader = ConfigurationReader(json: try JSON.read(path), source: path)
            return try reader.part(key) ?? reader
        }
    }
}

extension ParameterTree {
    /// The parameters of one part, with paths relative to it.
    func part(_ name: String) -> ParameterTree {
        ParameterTree(
            entries.filter { $0.path.hasPrefix(name + ".") }.map {
                (String($0.path.dropFirst(name.count + 1)), $0.parameter)
            })
    }
}
