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

extension InstructionRecord {
    /// The record in LLaVA's form, with pictures as they are referenced here.
    public var llava: JSON {
        var object = JSONObject()
        object["id"] = .string(id)
        if images.count == 1 {
            object["image"] = .string(images[0].description)
        } else if images.count > 1 {
            object["image"] = .array(images.map { .string($0.description) })
        }
        object["conversations"] = .array(
            conversation.turns.map { turn in
                var entry = JSONObject()
                entry["from"] = .string(Self.llavaName(of: turn.role))
                entry["value"] = .string(turn.content)
                return .object(entry)
            })
        for (key, value) in metadata where object[key] == nil { object[key] = value }
        return .object(object)
    }

    private static func llavaName(of role: Role) -> String {
        switch role {
        case .system: "system"
        case .user: "human"
        case .assistant: "gpt"
        }
    }
}
