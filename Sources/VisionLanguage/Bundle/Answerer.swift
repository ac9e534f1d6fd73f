import Basics
public import Imaging
import Tokenization

/// A question about pictures, or about nothing but text.
public struct Question: Sendable {
    /// What the user says; pictures without an `<image>` marker stand in front.
    public var text: String
    /// Each picture as the model's processor makes it.
    public var pictures: [ImageTiles]
    /// Number of this question's stream of random draws, so that its answer does not depend on its batch.
    public var stream: UInt64

    /// A question.
    public init(_ text: String, pictures: [ImageTiles] = [], stream: UInt64 = 0) {
        self.text = text
        self.pictures = pictures
        self.stream = stream
    }
}

/// An answer as text.
public struct Answer: Sendable {
    /// The text, without end tokens and stop strings, trimmed.
    public var text: String
    /// Tokens generated.
    public var tokenCount: Int
    /// Why it ended.
    public var reason: FinishReason
}

/// Questions in, answers out: renders prompts, generates, decodes, and stops at stop strings.
public final class Answerer {
    private let bundle: ModelBundle
    private let template: any ChatTemplate
    private let stopStrings: [String]
    private var settings: GenerationSettings
    private let generator: Generator

    /// - Parameters:
    ///   - template: a chat template by name; nil for the model's own.
    ///   - stopStrings: texts that end an answer besides the template's.
    public init(
        _ bundle: ModelBundle, _ settings: GenerationSettings, template name: String? = nil, stopStrings: [String] = []
    ) throws {
        self.bundle = bundle
        generator = Generator(bundle.model)
        template = try bundle.template(named: name)
        self.settings = settings
        self.settings.stopIDs.formUnion(template.stopIDs(bundle.tokenizer))
        self.stopStrings = (stopStrings + template.stopStrings).filter { !$0.isEmpty }
    }

    /// Answers in the order of the questions.
    ///
    /// - Parameter onText: told of every piece of text as it is certain, for streaming one answer.
    public func answer(_ questions: [Question], onText: ((Int, String) -> Void)? = nil) throws -> [Answer] {
        let prompts = try questions.map { try prompt($0) }
        var texts = questions.map { _ in AnswerText(StreamingDecoder(bundle.tokenizer), stops: stopStrings) }
        let raw = generator.generate(prompts, settings, streams: questions.map(\.stream)) { index, id in
            let piece = texts[index].push(id)
            if !piece.isEmpty { onText?(index, piece) }
            return !texts[index].isStopped
        }
        return raw.enumerated().map { index, answer in
            if settings.beams > 1 {
                for id in answer.ids where !texts[index].isStopped { _ = texts[index].push(id) }
            }
            let rest = texts[index].finish()
            if !rest.isEmpty { onText?(index, rest) }
            return Answer(
                text: texts[index].trimmed, tokenCount: answer.ids.count,
                reason: texts[index].isStopped ? .stop : answer.reason)
        }
    }

    /// The prompt of a question as token ids.
    public func prompt(_ question: Question) throws -> Prompt {
        var text = question.text
        let markers = Turn(role: .user, content: text).imageCount
        if markers == 0 {
            text = String(repeating: Conversation.imageMarker + "\n", count: question.pictures.count) + text
        }
        let layout = bundle.pictureLayout
        if !question.pictures.isEmpty, layout == nil {
            throw UserError("this model has no vision tower", fix: "ask without pictures")
        }
        let rendered = try template.renderPrompt(
            Conversation([Turn(role: .user, content: text)]), tokenizer: bundle.tokenizer,
            images: try question.pictures.enumerated().map { index, picture in
                try layout!.tokens(for: picture.imageSize, index: index, of: question.pictures.count)
            })
        try bundle.model.configuration.language.checkLength(rendered.ids.count + settings.maximumNewTokens)
        var ids = rendered.ids
        guard let layout, !question.pictures.isEmpty else { return Prompt(ids: ids) }
        var collector = PictureCollector(layout)
        for (picture, span) in zip(question.pictures, rendered.imageSpans) {
            try collector.add(picture.values, size: picture.imageSize, span: span, in: &ids)
        }
        return Prompt(ids: ids, pictures: collector.groups)
    }
}

/// Text of one answer as it grows; holds back what might become a stop string.
struct AnswerText {
    private(set) var isStopped = false
    private var decoder: StreamingDecoder
    private let stops: [String]
    private var text = ""
    private var pending = ""

    init(_ decoder: StreamingDecoder, stops: [String]) {
        self.decoder = decoder
        self.stops = stops
    }

    /// All text that is certain, without white space at the ends.
    var trimmed: String {
        var view = Substring(text)
        while let first = view.first, first.isWhitespace { view.removeFirst() }
        while let last = view.last, last.isWhitespace { view.removeLast() }
        return String(view)
    }

    /// Takes a token; returns text that no stop string can take back any more.
    mutating func push(_ id: Int32) -> String {
        guard !isStopped else { return "" }
        pending += decoder.push(id)
        return release(all: false)
    }

    /// Returns what was held back.
    mutating func finish() -> String {
        guard !isStopped else { return "" }
        pending += decoder.finish()
        return release(all: true)
    }

    private mutating func release(all: Bool) -> String {
        for stop in stops {
            if let place = pending.firstRange(of: stop) {
                let certain = String(pending[..<place.lowerBound])
                isStopped = true
                pending = ""
                text += certain
                return certain
            }
        }
        var keep = 0
        if !all {
            for stop in stops {
                for length in stride(from: min(stop.count - 1, pending.count), to: 0, by: -1)
                where pending.hasSuffix(stop.prefix(length)) {
                    keep = max(keep, length)
                    break
                }
            }
        }
        let certain = String(pending.dropLast(keep))
        pending = String(pending.suffix(keep))
        text += certain
        return certain
    }
}
