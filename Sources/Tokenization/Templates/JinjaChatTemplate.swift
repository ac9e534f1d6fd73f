import Basics
import Jinja

/// The chat template that lies in a model's folder, rendered by the `Jinja` interpreter.
///
/// The rendered text is cut at the tokenizer's special tokens; those that a user wrote are masked before rendering, so
/// that they stay text. Loss falls on `{% generation %}` blocks where the template has them, otherwise on what each answer
/// adds to the prompt before it; a template that rewrites earlier turns is then an error, not a wrong mask.
public struct JinjaChatTemplate: ChatTemplate {
    /// The name in messages.
    public let name: String
    /// Tokens that end an answer.
    public let stopTokens: [TemplateSegment.SpecialToken]

    private let template: Template
    private let tokenizer: Tokenizer
    private let imageToken: String
    /// Whether the template takes a turn's content as a list of pictures and texts.
    private let takesParts: Bool
    /// Whether a system turn's content is such a list too.
    private let systemTakesParts: Bool
    /// Whether the tokenizer's own first token is put in front where the text lacks it.
    private let addsStart: Bool
    /// Whether nothing stands between pictures and text but what the template writes.
    private let joinsPictures: Bool

    /// Reads a template.
    ///
    /// - Parameters:
    ///   - source: the template's text.
    ///   - tokenizer: the model's tokenizer, whose special tokens the text is cut at.
    ///   - imageToken: what the template writes for a picture, for example `<image>` or `<|image|>`.
    ///   - joinsPictures: whether the line end beside an `<image>` marker is left out of texts, as in nanoVLM's prompts; always so
    ///     where turns are lists of parts.
    ///   - addsStart: whether the tokenizer's own first token stands in front, where the text does not begin with it: processors of
    ///     pictures and text do that, tokenizers alone do not.
    /// - Throws: `JinjaError` with the line.
    public init(
        _ source: String, name: String = "chat_template", tokenizer: Tokenizer,
        imageToken: String = Conversation.imageMarker, joinsPictures: Bool = false, addsStart: Bool = false
    ) throws {
        self.addsStart = addsStart
        self.name = name
        self.tokenizer = tokenizer
        self.imageToken = imageToken
        template = try Template(source, name: name)
        takesParts = source.contains("'image'") || source.contains("\"image\"")
        self.joinsPictures = joinsPictures || takesParts
        stopTokens = []
        systemTakesParts = takesParts && Self.losesSystemText(template)
    }

    /// Whether a system turn's words come through a template of parts only as a part (SmolVLM), not as a plain text (Llama 3.2).
    private static func losesSystemText(_ template: Template) -> Bool {
        let word = "systemword"
        func keeps(_ content: JSON) -> Bool {
            let part: JSON = ["type": "text", "text": "a"]
            let messages: JSON = [
                ["role": "system", "content": content], ["role": "user", "content": [part]],
            ]
            let text = try? template.render(["messages": messages, "add_generation_prompt": true]).text
            return text?.utf8.firstRange(of: Array(word.utf8)) != nil
        }
        return !keeps(.string(word)) && keeps([["type": "text", "text": .string(word)]])
    }

    /// Ids that end an answer: the first special token behind one, and the tokenizer's end of text.
    public func stopIDs(_ tokenizer: Tokenizer) -> [Int32] {
        let example = Conversation([Turn(role: .user, content: "a"), Turn(role: .assistant, content: "b")])
        let list = (try? segments(example, openAnswer: false)) ?? []
        var ids: [Int32] = []
        for case .special(let token, true) in list {
            if let id = tokenizer.id(of: token), !ids.contains(id) { ids.append(id) }
        }
        if let end = tokenizer.eosID, !ids.contains(end) { ids.append(end) }
        return ids
    }

    /// The segments of a conversation, in order.
    public func segments(_ conversation: Conversation, openAnswer: Bool) throws -> [TemplateSegment] {
        var masks = TextMasks()
        let messages = conversation.turns.map { message($0, &masks) }
        let whole = try render(messages, openAnswer: openAnswer)
        var supervised = whole.generations
        if supervised.isEmpty {
            // A prompt's earlier answers are cut where training cuts them; where that cannot be told nothing was trained so.
            supervised = try openAnswer ? (try? answers(messages, whole.text)) ?? [] : answers(messages, whole.text)
        }
        let found = cut(Array(whole.text.utf8), supervised, masks)
        let beginning = tokenizer.configuration.bosToken ?? ""
        let isThere = !beginning.isEmpty && whole.text.hasPrefix(beginning)
        return addsStart && !isThere ? [.start] + found : found
    }

    private func render(_ messages: [JSON], openAnswer: Bool) throws -> Template.Rendering {
        var context: [String: JSON] = [
            "messages": .array(messages), "add_generation_prompt": .bool(openAnswer),
        ]
        let configuration = tokenizer.configuration
        for (key, token) in [
            ("bos_token", configuration.bosToken), ("eos_token", configuration.eosToken),
            ("pad_token", configuration.padToken), ("unk_token", configuration.unkToken),
        ] {
            context[key] = .string(token ?? "")
        }
        return try template.render(context)
    }

    /// What each answer adds to the prompt in front of it, as ranges of bytes.
    private func answers(_ messages: [JSON], _ whole: String) throws -> [Range<Int>] {
        var result: [Range<Int>] = []
        for (index, message) in messages.enumerated() where message["role"]?.string == Role.assistant.rawValue {
            let prompt = try render(Array(messages[..<index]), openAnswer: true).text
            let answered = try render(Array(messages[...index]), openAnswer: false).text
            let end = Self.end(of: answered, in: whole, behind: prompt.utf8.count, content: message["content"])
            guard answered.utf8.starts(with: prompt.utf8), let end else {
                throw UserError(
                    "template \(name) renders turn \(index) differently once later turns follow: "
                        + "what is an answer cannot be told",
                    fix: "use a template with {% generation %} blocks, or one of "
                        + ChatTemplateName.allCases.map(\.rawValue).joined(separator: ", "))
            }
            result.append(prompt.utf8.count..<end)
        }
        return result
    }

    /// Where a conversation that ends with an answer ends in a longer one that begins with it. What some templates put behind the
    /// last turn of all (Phi-3's end of text) may stand at the longer one's end instead, if the answer's own words are all there.
    private static func end(of answered: String, in whole: String, behind prompt: Int, content: JSON?) -> Int? {
        let (short, long) = (Array(answered.utf8), Array(whole.utf8))
        let common = zip(short, long).prefix { $0 == $1 }.count
        if common == short.count { return common }
        guard common > prompt, long.count - (short.count - common) >= common,
            short[common...].elementsEqual(long[(long.count - (short.count - common))...])
        else { return nil }
        let words = content?.string ?? (content?.array ?? []).compactMap { $0["text"]?.string }.joined()
        let wanted = Array(String(words.trimmed()).utf8)
        return wanted.isEmpty || long[prompt..<common].firstRange(of: wanted) == nil ? nil : common
    }

    private func message(_ turn: Turn, _ masks: inout TextMasks) -> JSON {
        var content: JSON
        let segments = pieces(of: turn)
        if takesParts {
            content = .array(
                segments.map { segment in
                    segment == .image
                        ? ["type": "image"]
                        : ["type": "text", "text": .string(masks.hide(segment.plainText, tokenizer.addedTokens))]
                })
        } else {
            content = .string(
                segments.map { segment in
                    segment == .image ? masks.image : masks.hide(segment.plainText, tokenizer.addedTokens)
                }.joined())
        }
        if takesParts, !systemTakesParts, turn.role == .system {
            content = .string(masks.hide(turn.content, tokenizer.addedTokens))
        }
        return ["role": .string(turn.role.rawValue), "content": content]
    }

    /// A turn's texts and pictures. Where the template (or nanoVLM's code) decides what stands between a picture and text, the line
    /// end that LLaVA's notation has beside a marker is none of the text.
    private func pieces(of turn: Turn) -> [TemplateSegment] {
        let segments = TemplateSegment.split(turn.content)
        guard joinsPictures else { return segments }
        return segments.enumerated().compactMap { index, segment in
            guard case .text(var text, let supervised) = segment else { return segment }
            if index > 0, text.hasPrefix("\n") { text.removeFirst() }
            if index + 1 < segments.count, text.hasSuffix("\n") { text.removeLast() }
            return text.isEmpty ? nil : .text(text, supervised: supervised)
        }
    }

    /// Cuts rendered text at special tokens, pictures, and where the mask changes.
    private func cut(_ text: [UInt8], _ supervised: [Range<Int>], _ masks: TextMasks) -> [TemplateSegment] {
        var edges = [0, text.count]
        for range in supervised { edges += [range.lowerBound, range.upperBound] }
        edges = Array(Set(edges)).sorted()
        var result: [TemplateSegment] = []
        for (start, end) in zip(edges, edges.dropFirst()) {
            let isSupervised = supervised.contains { $0.contains(start) }
            var stretch = pieces(Array(text[start..<end]), isSupervised, masks)
            // The line end behind an answer's end token is the template's, not the answer's.
            if isSupervised, stretch.count > 1, case .text(let last, _)? = stretch.last, last.trimmed().isEmpty,
                case .special = stretch[stretch.count - 2]
            {
                stretch[stretch.count - 1] = .text(last)
            }
            result += stretch
        }
        return result
    }

    private func pieces(_ text: [UInt8], _ isSupervised: Bool, _ masks: TextMasks) -> [TemplateSegment] {
        var result: [TemplateSegment] = []
        text.withUnsafeBufferPointer { bytes in
            for match in tokenizer.addedTokens.split(bytes, normalized: false, allowSpecial: true) {
                let piece = String(decoding: bytes[match.range], as: UTF8.self)
                let token = match.id.flatMap(tokenizer.token)
                if token == imageToken {
                    result.append(.image)
                } else if let token, let id = match.id, tokenizer.isSpecial(id) {
                    result.append(.special(.named(token), supervised: isSupervised))
                } else {
                    result += masks.reveal(piece, imageToken: takesParts ? imageToken : nil, isSupervised)
                }
            }
        }
        return result
    }
}

extension Tokenizer {
    /// The chat template of the model's folder, nil when it has none of that name.
    ///
    /// - Parameter imageToken: what the template writes for a picture.
    /// - Throws: `JinjaError` when the template cannot be read.
    public func chatTemplate(
        named name: String = "default", imageToken: String = Conversation.imageMarker, joinsPictures: Bool = false,
        addsStart: Bool = false
    ) throws -> JinjaChatTemplate? {
        guard let source = configuration.chatTemplates[name] else { return nil }
        return try JinjaChatTemplate(
            source, name: "chat template \"\(name)\"", tokenizer: self, imageToken: imageToken,
            joinsPictures: joinsPictures, addsStart: addsStart)
    }
}
