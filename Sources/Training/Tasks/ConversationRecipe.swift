import Basics
import Imaging
import InstructionData
import NeuralNetwork
import TensorCore
import Tokenization
import VisionLanguage

/// How a record of conversations becomes a sample of this model.
struct ConversationRecipe: SampleRecipe {
    let tokenizer: Tokenizer
    let template: any ChatTemplate
    let processor: ImageProcessor?
    let imageTokens: ImageTokens
    let maximumTokens: Int

    func render(_ conversation: Conversation, imageCount: Int) throws -> RenderedConversation {
        if imageCount > 0, processor == nil {
            throw UserError(
                "a picture, but this model has no vision tower", fix: "take a model with a tower, or text-only data")
        }
        let images = [ImageTokens](repeating: imageTokens, count: imageCount)
        return try template.render(conversation, tokenizer: tokenizer, images: images).truncated(to: maximumTokens)
    }

    func pixels(ofEncoded bytes: UnsafeRawBufferPointer, name: String) throws -> Pixels {
        guard let processor else { return [] }
        return ContiguousArray(try processor.process(decoding: bytes, source: name).values)
    }
}
