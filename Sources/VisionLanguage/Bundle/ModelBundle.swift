import Basics
public import Imaging
import TensorCore
public import Tokenization

/// A model with everything that turns pictures and text into its inputs and its outputs into text.
///
/// On disk it is a Hugging Face folder: `config.json`, `model.safetensors`, `tokenizer.json`, `preprocessor_config.json`, and
/// `vitrail.json` with what has no place in the others.
public final class ModelBundle {
    /// The network.
    public let model: VisionLanguageModel
    /// Text to ids and back.
    public let tokenizer: Tokenizer
    /// Pictures to pixels; nil for a language model alone.
    public let processor: ImageProcessor?
    /// The chat template that the model was tuned with; nil for the one that lies in its folder.
    public var template: ChatTemplateName?
    /// What the model was tuned to describe a picture at; nil where nobody has said.
    public var captionPrompt: String?
    /// Id that stands for visual tokens in rendered text.
    public let imageTokenID: Int32
    /// An adapter that is at work and cannot become part of the weights; written beside them.
    package var adapterFolder: String?
    /// Files that are written as they were read: the tokenizer's, the processor's.
    let sideFiles: [(name: String, bytes: [UInt8])]
    /// Tokens that the tokenizer has and those files lack.
    let addedTokens: [(token: String, id: Int32)]
    /// `config.json` of the folder that it came from, for layouts that keep more there than the network has.
    let published: JSON
    /// nanoVLM's names of its tokens for pictures.
    let pictureTokens: [String: String]

    init(
        model: VisionLanguageModel, tokenizer: Tokenizer, processor: ImageProcessor?, template: ChatTemplateName?,
        imageTokenID: Int32, sideFiles: [(name: String, bytes: [UInt8])],
        addedTokens: [(token: String, id: Int32)] = [], published: JSON = .null, pictureTokens: [String: String] = [:]
    ) {
        self.addedTokens = addedTokens
        self.published = published
        self.pictureTokens = pictureTokens
        self.model = model
        self.tokenizer = tokenizer
        self.processor = processor
        self.template = template
        self.imageTokenID = imageTokenID
        self.sideFiles = sideFiles
    }

    /// Pixels high of a processed picture.
    public var pictureHeight: Int { processor?.outputHeight ?? 0 }
    /// Pixels wide of a processed picture.
    public var pictureWidth: Int { processor?.outputWidth ?? 0 }

    /// Visual tokens of one processed picture or tile.
    public var imageTokenCount: Int {
        model.configuration.visualTokenCount(height: pictureHeight, width: pictureWidth)
    }

    /// What the chat template is called; `folder` is the one that lies in the model's folder.
    public var templateName: String {
        let fallback: ChatTemplateName = model.configuration.layout == .paliGemma ? .paliGemma : .vicuna
        return template?.rawValue ?? (hasFolderTemplate ? Self.folderTemplateName : fallback.rawValue)
    }

    private var hasFolderTemplate: Bool { tokenizer.configuration.chatTemplates["default"] != nil }

    /// The name of the Jinja template that lies in the model's folder.
    public static let folderTemplateName = "folder"

    /// A template by name; the model's own when nil. `folder` names the Jinja template of the model's folder.
    public func template(named name: String?) throws -> any ChatTemplate {
        let name = name ?? templateName
        let imageToken = tokenizer.token(imageTokenID) ?? Conversation.imageMarker
        // nanoVLM joins pictures and text itself, and takes its tokenizer's template without a processor.
        let joins = model.configuration.layout == .nanoVLM
        let starts = model.configuration.vision != nil && !joins
        if name == Self.folderTemplateName,
            let own = try tokenizer.chatTemplate(imageToken: imageToken, joinsPictures: joins, addsStart: starts)
        {
            return own
        }
        guard let known = ChatTemplateName(rawValue: name) else {
            let names = ChatTemplateName.allCases.map(\.rawValue) + (hasFolderTemplate ? [Self.folderTemplateName] : [])
            throw UserError(
                "unknown chat template \"\(name)\"",
                fix: Suggestion.fix(for: name, among: names))
        }
        return known.template
    }
}
