import Basics
import Tokenization

/// A rendered conversation as HTML: what carries loss is green, pictures are blue, special tokens are framed.
struct PreviewText {
    /// The markup.
    var html = ""
    /// Tokens in all; nil without a tokenizer.
    var tokens: Int?
    /// Tokens that carry loss.
    var supervised: Int?
    /// Why the conversation could not be rendered.
    var fault: String?

    /// - Parameter images: the tokens of each picture; nil where they are not known.
    init(
        _ conversation: Conversation, imageCount: Int, images: () throws -> [ImageTokens]?, _ settings: PreviewSettings
    ) {
        do {
            if let tokenizer = settings.tokenizer {
                try render(conversation, imageCount, images(), settings, tokenizer)
            } else {
                for segment in try settings.template.segments(conversation, openAnswer: false) { add(segment) }
            }
        } catch {
            fault = SampleSource.words(of: error).problem
        }
    }

    // MARK: - Without a tokenizer

    private mutating func add(_ segment: TemplateSegment) {
        switch segment {
        case .text(let text, let supervised): span(text, supervised ? "loss" : "")
        case .image: html += "<span class=\"picture\">&lt;image&gt;</span>"
        case .start: break
        case .special(let token, let supervised):
            let name =
                switch token {
                case .beginning: "start"
                case .end: "end"
                case .named(let token): token
                }
            span(name, supervised ? "special loss" : "special")
        }
    }

    private mutating func span(_ text: String, _ style: String, title: String? = nil) {
        let hint = title.map { " title=\"\($0)\"" } ?? ""
        html += "<span class=\"\(style)\"\(hint)>\(HTML.escaped(text).replacing(utf8: "\n", with: "<br>"))</span>"
    }

    // MARK: - With a tokenizer

    private mutating func render(
        _ conversation: Conversation, _ imageCount: Int, _ known: [ImageTokens]?, _ settings: PreviewSettings,
        _ tokenizer: Tokenizer
    ) throws {
        let images = known ?? [ImageTokens](repeating: ImageTokens(count: 1, id: -1), count: imageCount)
        let rendered = try settings.template.render(conversation, tokenizer: tokenizer, images: images)
        tokens = rendered.ids.count - (known == nil ? imageCount : 0)
        supervised = rendered.supervisedCount
        var spans = rendered.imageSpans[...]
        var decoder = StreamingDecoder(tokenizer, skipSpecialTokens: false)
        var waiting: [Int32] = []
        var style = ""
        func flush(_ text: String, _ page: inout PreviewText) {
            guard !text.isEmpty || !waiting.isEmpty else { return }
            page.span(text, style, title: waiting.map { String($0) }.joined(separator: " "))
            waiting = []
        }
        var index = 0
        while index < rendered.ids.count {
            if let span = spans.first, span.lowerBound == index {
                flush(decoder.finish(), &self)
                let count = known == nil ? "" : " × \(span.count)"
                html += "<span class=\"picture\">&lt;image&gt;\(count)</span>"
                spans.removeFirst()
                index = max(span.upperBound, index + 1)
                continue
            }
            let id = rendered.ids[index]
            let loss = rendered.supervised[index]
            if tokenizer.isSpecial(id) {
                flush(decoder.finish(), &self)
                span(tokenizer.token(id) ?? "?", loss ? "token special loss" : "token special", title: String(id))
            } else {
                let now = loss ? "token loss" : "token"
                if now != style { flush(decoder.finish(), &self) }
                style = now
                waiting.append(id)
                let text = decoder.push(id)
                if !text.isEmpty { flush(text, &self) }
            }
            index += 1
        }
        flush(decoder.finish(), &self)
    }
}
