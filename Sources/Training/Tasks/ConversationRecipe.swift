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
    let slidingWindow: SlidingWindow?

    init(_ bundle: ModelBundle, template: (any ChatTemplate)? = nil, maximumTokens: Int) throws {
        tokenizer = bundle.tokenizer
        self.template = try template ?? bundle.template(named: nil)
        processor = bundle.processor
        layout = bundle.pictureLayout
        self.maximumTokens = maximumTokens
        slidingWindow = bundle.model.configuration.language.slidingWindow
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
        if let slidingWindow, text.ids.count > slidingWindow.tokens {
            throw UserError(
                "\(text.ids.count) tokens are more than the model's sliding window of \(slidingWindow.tokens)",
                fix: "set max_tokens: \(slidingWindow.tokens), or leave the record out")
        }
        return text
    }

    func pixels(ofEncoded bytes: UnsafeRawBufferPointer, name: String) throws -> Pixels {
        guard let processor else { return [] }
        return ContiguousArray(try processor.tiles(decoding: bytes, source: name).values)
    }
}
