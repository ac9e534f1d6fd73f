public import Basics
public import Tokenization

/// One sample of instruction data: pictures, a conversation about them, and whatever else the source said.
public struct InstructionRecord: Sendable {
    /// The source's name of the record, or its position when the source gives none.
    public var id: String
    /// The pictures, in the order of the `<image>` markers.
    public var images: [ImageReference]
    /// Turns in order: an optional system turn, then user and assistant in alternation.
    public var conversation: Conversation
    /// Keys of the source that are none of the above (source, references, strategy and so on).
    public var metadata: JSONObject

    /// Makes a record.
    public init(
        id: String, images: [ImageReference], conversation: Conversation, metadata: JSONObject = JSONObject()
    ) {
        self.id = id
        self.images = images
        self.conversation = conversation
        self.metadata = metadata
    }
}
