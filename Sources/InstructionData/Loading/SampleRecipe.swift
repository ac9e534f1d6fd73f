public import Imaging
public import Tokenization

/// How a record becomes a sample: what the loader calls on its worker threads.
///
/// Both calls must be pure: the same record gives the same sample on any thread.
public protocol SampleRecipe: Sendable {
    /// Whether the tokens of a picture depend on its size; if not, sizes are not read.
    var needsPictureSizes: Bool { get }

    /// Tokenises a conversation, placing as many visual tokens for each picture as the model has.
    /// - Parameter sizes: the pictures' sizes in pixels; empty unless ``needsPictureSizes``.
    func render(_ conversation: Conversation, imageCount: Int, sizes: [PixelSize]) throws -> RenderedConversation

    /// Decodes and processes a picture from its encoded bytes.
    /// - Parameter name: the picture's name for messages.
    func pixels(ofEncoded bytes: UnsafeRawBufferPointer, name: String) throws -> Pixels
}

extension SampleRecipe {
    /// No sizes are needed by most models.
    public var needsPictureSizes: Bool { false }
}
