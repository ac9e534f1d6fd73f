public import Tokenization

/// How a record becomes a sample: what the loader calls on its worker threads.
///
/// Both calls must be pure: the same record gives the same sample on any thread.
public protocol SampleRecipe: Sendable {
    /// Tokenises a conversation, placing as many visual tokens for each picture as the model has.
    func render(_ conversation: Conversation, imageCount: Int) throws -> RenderedConversation

    /// Decodes and processes a picture from its encoded bytes.
    /// - Parameter name: the picture's name for messages.
    func pixels(ofEncoded bytes: UnsafeRawBufferPointer, name: String) throws -> Pixels
}
