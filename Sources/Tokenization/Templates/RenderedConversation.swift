/// A conversation as token ids, with what carries loss and where its pictures stand.
public struct RenderedConversation: Sendable, Equatable {
    /// Token ids, pictures' placeholder tokens included.
    public internal(set) var ids: [Int32]
    /// Whether the token at the same index of ``ids`` carries loss: answers and their end tokens only.
    public internal(set) var supervised: [Bool]
    /// The tokens of each picture, ascending; never supervised, never cut.
    public internal(set) var imageSpans: [Range<Int>]
    /// Number of tokens that ``truncated(to:)`` took away.
    public internal(set) var cutTokens = 0
    /// Number of pictures that went with them: the last ones of the conversation.
    public internal(set) var cutImages = 0

    /// Makes a rendering; ids and mask have the same length.
    public init(ids: [Int32] = [], supervised: [Bool] = [], imageSpans: [Range<Int>] = []) {
        precondition(ids.count == supervised.count, "ids and supervised differ in length")
        self.ids = ids
        self.supervised = supervised
        self.imageSpans = imageSpans
    }

    /// Number of tokens that carry loss; 0 means there is nothing to learn from.
    public var supervisedCount: Int { supervised.count { $0 } }

    /// The first `maxTokens` tokens, or fewer so that no picture is cut in two.
    ///
    /// Whatever is cut is counted in ``cutTokens`` and ``cutImages``; look at ``supervisedCount`` for whether anything
    /// supervised remains.
    public func truncated(to maxTokens: Int) -> RenderedConversation {
        var end = min(max(maxTokens, 0), ids.count)
        if let cut = imageSpans.first(where: { $0.contains(end) && $0.lowerBound < end }) { end = cut.lowerBound }
        var result = RenderedConversation(
            ids: Array(ids[..<end]), supervised: Array(supervised[..<end]),
            imageSpans: imageSpans.filter { $0.upperBound <= end })
        result.cutTokens = cutTokens + ids.count - end
        result.cutImages = cutImages + imageSpans.count - result.imageSpans.count
        return result
    }
}

/// The tokens that stand for one picture.
public struct ImageTokens: Sendable, Equatable {
    /// All ids of the picture, for some models with row and column markers between the placeholders.
    public var ids: [Int32]

    /// Any ids.
    public init(ids: [Int32]) {
        self.ids = ids
    }

    /// `count` placeholders.
    public init(count: Int, id: Int32) {
        ids = Array(repeating: id, count: max(0, count))
    }
}

/// Choices of rendering that are not the template's.
public struct RenderOptions: Sendable, Equatable {
    /// How text after a picture or a special token is tokenized; matters for tokenizers that put a space in front of a
    /// text (the Llama 2 kind).
    public enum Boundary: Sendable, Equatable {
        /// As the tokenizer treats a whole string with special tokens in it, which is what `transformers` processors do.
        case tokenizer
        /// As LLaVA's `tokenizer_image_token` with the slow tokenizer (`legacy` false): each stretch between pictures is
        /// a text of its own, and text after a special token continues without a space.
        case llava
    }

    /// How text behind pictures and special tokens is tokenized.
    public var boundary: Boundary

    /// Makes the options.
    public init(boundary: Boundary = .tokenizer) {
        self.boundary = boundary
    }
}
