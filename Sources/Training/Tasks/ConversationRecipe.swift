import Basics
import Imaging
import InstructionData
import Tokenization
import VisionLanguage

/// How a record of conversations becomes a sample of this model.
struct ConversationRecipe: SampleRecipe {
    let tokenizer: Tokenizer
    let template: any ChatTemplate
    let processor: ImageProcessor?
    let layout: PictureLayout?
    let maximumTokens: Int
    let language: DecoderConfiguration

    init(_ bundle: ModelBundle, template: (any ChatTemplate)? = nil, maximumTokens: Int) throws {
        tokenizer = bundle.tokenizer
        self.template = try template ?? bundle.template(named: nil)
        processor = bundle.processor
        layout = bundle.pictureLayout
        self.maximumTokens = maximumTokens
        language = bundle.model.configuration.language
    }

    var needsPictureSizes: Bool { layout?.dependsOnSize ?? false }

    func render(_ conversation: Conversation, imageCount: Int, sizes: [PixelSize]) throws -> RenderedConversation {
        if imageCount > 0, layout == nil {
            throw UserError(
                "a picture, but this model has no vision tower", fix: "take a model with a tower, or text-only data")
        }
        let none = PixelSize(width: 0, height: 0)
        let images = try (0..<imageCount).map { index in
            try layout!.tokens(for: needsPictureSizes ? sizes[index] : none, index: index, of: imageCount)
        }
        let text = try template.render(conversation, tokenizer: tokenizer, images: images).truncated(to: maximumTokens)
        try language.checkLength(text.ids.count)
        return text
    }

    func pixels(ofEncoded bytes: UnsafeRawBufferPointer, name: String) throws -> Pixels {
        guard let processor else { return [] }
        return ContiguousArray(try processor.tiles(decoding: bytes, source: name).values)
    }
}
