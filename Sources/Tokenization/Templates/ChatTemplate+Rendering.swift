extension ChatTemplate {
    /// Renders a conversation for training.
    ///
    /// - Parameters:
    ///   - conversation: turns with `<image>` markers.
    ///   - imageTokenCounts: how many tokens each picture takes, in the order of the markers.
    ///   - imageTokenID: the id that stands for a picture's tokens.
    /// - Throws: `ConversationProblem` for a wrong order of roles, a number of pictures that differs from the markers, or
    ///   a token that the tokenizer lacks.
    public func render(
        _ conversation: Conversation, tokenizer: Tokenizer, imageTokenCounts: [Int] = [], imageTokenID: Int32,
        options: RenderOptions = RenderOptions()
    ) throws -> RenderedConversation {
        let images = imageTokenCounts.map { ImageTokens(count: $0, id: imageTokenID) }
        return try render(conversation, tokenizer: tokenizer, images: images, options: options)
    }

    /// Renders a conversation for training, each picture with tokens of its own.
    public func render(
        _ conversation: Conversation, tokenizer: Tokenizer, images: [ImageTokens],
        options: RenderOptions = RenderOptions()
    ) throws -> RenderedConversation {
        try conversation.validate()
        let segments = try segments(conversation, openAnswer: false)
        return try SegmentRenderer.render(segments, name, tokenizer, images, options)
    }

    /// Renders everything before the last answer, ready for the model to answer: an exact prefix of what
    /// ``render(_:tokenizer:imageTokenCounts:imageTokenID:options:)`` gives for the whole conversation.
    ///
    /// A last assistant turn is left out; `imageTokenCounts` counts the pictures of what remains.
    public func renderPrompt(
        _ conversation: Conversation, tokenizer: Tokenizer, imageTokenCounts: [Int] = [], imageTokenID: Int32,
        options: RenderOptions = RenderOptions()
    ) throws -> RenderedConversation {
        let images = imageTokenCounts.map { ImageTokens(count: $0, id: imageTokenID) }
        return try renderPrompt(conversation, tokenizer: tokenizer, images: images, options: options)
    }

    /// Renders everything before the last answer, each picture with tokens of its own.
    public func renderPrompt(
        _ conversation: Conversation, tokenizer: Tokenizer, images: [ImageTokens],
        options: RenderOptions = RenderOptions()
    ) throws -> RenderedConversation {
        let segments = try promptSegments(conversation)
        return try SegmentRenderer.render(segments, name, tokenizer, images, options)
    }

    /// The rendered text with special tokens spelled out and `<image>` for each picture: for reports and for reading.
    ///
    /// What the tokenizer itself puts in front of a text (``TemplateSegment/start``) is not shown.
    public func renderText(
        _ conversation: Conversation, tokenizer: Tokenizer? = nil, openAnswer: Bool = false
    ) throws -> String {
        let list = openAnswer ? try promptSegments(conversation) : try segments(conversation, openAnswer: false)
        return list.map { segment in
            switch segment {
            case .text(let text, _): text
            case .image: Conversation.imageMarker
            case .start: ""
            case .special(.named(let token), _): token
            case .special(.beginning, _): tokenizer?.bosToken ?? (tokenizer == nil ? "<s>" : "")
            case .special(.end, _): tokenizer?.eosToken ?? "</s>"
            }
        }.joined()
    }

    private func promptSegments(_ conversation: Conversation) throws -> [TemplateSegment] {
        var asked = conversation
        if asked.turns.last?.role == .assistant { asked.turns.removeLast() }
        try asked.validate()
        return try segments(asked, openAnswer: true)
    }
}

/// Appends ids and loss mask segment by segment.
enum SegmentRenderer {
    static func render(
        _ segments: [TemplateSegment], _ template: String, _ tokenizer: Tokenizer, _ images: [ImageTokens],
        _ options: RenderOptions
    ) throws -> RenderedConversation {
        let markers = segments.count { $0 == .image }
        guard markers == images.count else {
            throw ConversationProblem.imageCount(markers: markers, images: images.count)
        }
        var result = RenderedConversation()
        var position = TextPosition.start
        var nextImage = 0
        func append(_ ids: some Collection<Int32>, supervised: Bool) {
            result.ids += ids
            result.supervised += repeatElement(supervised, count: ids.count)
        }
        for segment in merged(segments) {
            switch segment {
            case .start:
                append(tokenizer.prefixIDs, supervised: false)
            case .text(let text, let supervised):
                append(tokenizer.encode(text, at: position), supervised: supervised)
                position = .continuing
            case .special(let token, let supervised):
                if let id = tokenizer.id(of: token) {
                    append(CollectionOfOne(id), supervised: supervised)
                } else if token != .beginning {
                    throw ConversationProblem.missingToken("\(token.spelling)", template: template)
                }
                position = options.boundary == .llava ? .continuing : .afterSpecialToken
            case .image:
                let start = result.ids.count
                append(images[nextImage].ids, supervised: false)
                result.imageSpans.append(start..<result.ids.count)
                nextImage += 1
                position = options.boundary == .llava ? .start : .afterSpecialToken
            }
        }
        return result
    }

    /// Neighbouring texts of the same mask as one, so that words and merges run across them as in the rendered string.
    ///
    /// Where the mask changes the text is cut: the prompt's ids must not depend on the answer.
    private static func merged(_ segments: [TemplateSegment]) -> [TemplateSegment] {
        var result: [TemplateSegment] = []
        for segment in segments {
            if case .text(let text, let supervised) = segment {
                if text.isEmpty { continue }
                if case .text(let before, supervised)? = result.last {
                    result[result.count - 1] = .text(before + text, supervised: supervised)
                    continue
                }
            }
            result.append(segment)
        }
        return result
    }
}

extension TemplateSegment.SpecialToken {
    /// How the token is named in messages.
    var spelling: String {
        switch self {
        case .beginning: "beginning of text"
        case .end: "end of text"
        case .named(let token): token
        }
    }
}
