public import Basics
import Checkpointing
import Imaging
import NeuralNetwork
public import TensorCore
import Tokenization

/// What a model folder is, and what is wrong with it, told without reading its weights.
public struct ModelInspection: Sendable {
    /// One part of the model.
    public struct Part: Sendable {
        /// `vision`, `projector` or `language`.
        public var name: String
        /// Its shape in words.
        public var shape: String
        /// Weights.
        public var parameters: Int
    }

    /// `model_type` of `config.json`.
    public var family = ""
    /// The parts, in the order of computing.
    public var parts: [Part] = []
    /// Element types of the weights, or `q8` and `q4` for blocks, those of most bytes or numbers first.
    public var elements: [String] = []
    /// Bytes of the weights.
    public var byteCount = 0
    /// Pixels of a processed picture; nil for a language model.
    public var picture: String?
    /// Tokens that a picture, or a tile of one, takes.
    public var imageTokens: Int?
    /// Whether pictures are cut into tiles.
    public var isTiled = false
    /// How pictures stand in the text; nil for a language model.
    public var pictureLayout: PictureLayout?
    /// Tokens of the vocabulary, and rows of the embedding.
    public var vocabulary: String?
    /// The chat template by name.
    public var template: String?
    /// What the folder says that the model is asked for a caption.
    public var captionPrompt: String?
    /// What keeps the model from being opened, or looks wrong.
    public var problems: [String] = []

    /// Looks at a folder.
    /// - Parameter backend: where an empty model of the shape is laid out, to hold the checkpoint's names and shapes against.
    /// - Throws: only when there is no `config.json` to look at; everything else is one of the problems.
    public init(_ folder: String, on backend: any Backend) throws {
        let path = Paths.join(folder, "config.json")
        family = try JSON.read(path)["model_type"]?.string ?? ""
        let source = attempt { try TensorFolder(folder) }
        if let source {
            byteCount = source.entries.reduce(0) { $0 + $1.byteRange.count }
            var counts: [String: Int] = [:]
            // Blocks stand in the file as bytes; their form is what the folder says. One that is not known is told below.
            let form = (try? WeightStorage.ofFolder(folder))?.rawValue
            for entry in source.entries {
                let name = entry.element.torchName
                counts[name == "uint8" ? form ?? name : name, default: 0] += entry.count
            }
            elements = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
        }
        guard let shape = attempt({ try ModelFamily.read(folder) }) else {
            attempt { try Tokenizer(folder: folder) }
            return
        }
        let configuration = shape.configuration
        if let source, attempt({ try shape.checkSize(of: source, in: folder) }) == nil { return }
        let model = VisionLanguageModel(configuration, Initializer(backend: backend, fills: false))
        parts = Self.parts(of: model)
        if let source { attempt { try ModelBundle.check(source, of: model, shape) } }
        guard
            let bundle = attempt({
                try ModelBundle.unfilled(folder, shape, ModelBundle.tokenizer(folder, shape), model: model)
            })
        else { return }
        let rows = model.configuration.language.vocabularySize
        vocabulary = "\(bundle.tokenizer.vocabularySize) tokens, \(rows) rows"
        template = bundle.templateName
        captionPrompt = bundle.captionPrompt
        attempt { try bundle.template(named: nil) }
        guard let layout = bundle.pictureLayout else { return }
        picture = "\(layout.width)×\(layout.height)"
        imageTokens = layout.tokensPerTile
        isTiled = layout.dependsOnSize
        pictureLayout = layout
    }

    /// Runs one look; a failure becomes a problem.
    @discardableResult
    private mutating func attempt<R>(_ look: () throws -> R) -> R? {
        do {
            return try look()
        } catch {
            let problem = error as? any Problem
            problems.append(
                problem.map { $0.fix.map { fix in "\(problem!.problem) (\(fix))" } ?? $0.problem } ?? "\(error)")
            return nil
        }
    }

    private static func parts(of model: VisionLanguageModel) -> [Part] {
        let configuration = model.configuration
        var parts: [Part] = []
        func add(_ name: String, _ shape: String) {
            parts.append(Part(name: name, shape: shape, parameters: model.parameters.part(name).count))
        }
        if let vision = configuration.vision {
            add(
                "vision",
                "\(vision.layers) blocks of \(vision.hiddenSize), \(vision.attentionHeads) heads, "
                    + "\(vision.imageSize) pixels in patches of \(vision.patchSize)")
            add("projector", configuration.projector.name)
        }
        let language = configuration.language
        add(
            "language",
            "\(language.layers) blocks of \(language.hiddenSize), \(language.attentionHeads) heads over "
                + "\(language.keyValueHeads) key-value heads, \(language.maximumPositions) positions")
        return parts
    }

    /// For scripts.
    public var json: JSON {
        [
            "kind": "model", "family": .string(family),
            "parts": .array(
                parts.map {
                    ["part": .string($0.name), "shape": .string($0.shape), "parameters": .int($0.parameters)]
                }),
            "dtypes": .array(elements.map { .string($0) }), "bytes": .int(byteCount),
            "picture": picture.map { .string($0) } ?? .null, "image_tokens": imageTokens.map { .int($0) } ?? .null,
            "tiled": .bool(isTiled),
            "vocabulary": vocabulary.map { .string($0) } ?? .null, "template": template.map { .string($0) } ?? .null,
            "caption_prompt": captionPrompt.map { .string($0) } ?? .null,
            "problems": .array(problems.map { .string($0) }),
        ]
    }
}
