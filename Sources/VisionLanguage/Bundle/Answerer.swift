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
        let texts = AnswerTexts(questions.count, bundle.tokenizer, stops: stopStrings, onText: onText)
        let raw = generator.generate(prompts, settings, streams: questions.map(\.stream), onToken: texts.push)
        if settings.beams > 1 {
            for (index, answer) in raw.enumerated() {
                for id in answer.ids where texts.push(index, id) == false { break }
            }
        }
        return texts.finish(raw)
    }

    /// Whether answers can begin now and go on later.
    package var goesOnLater: Bool { settings.beams == 1 }

    /// Runs the questions' prompts up to the first token of their answers; `BegunAnswers.finish` goes on.
    package func begin(_ questions: [Question]) throws -> BegunAnswers {
        let texts = AnswerTexts(questions.count, bundle.tokenizer, stops: stopStrings, onText: nil)
        let run = generator.begin(
            try questions.map { try prompt($0) }, settings, streams: questions.map(\.stream), onToken: texts.push)
        return BegunAnswers(run: run, texts: texts)
    }

    /// Tokens of a question's prompt.
    /// - Throws: what ``prompt(_:)`` throws.
    package func length(of question: Question) throws -> Int { try rendered(question).ids.count }

    /// The prompt of a question as token ids.
    /// - Throws: `UserError` where its pictures are others than its markers, or where it does not fit the model.
    public func prompt(_ question: Question) throws -> Prompt {
        let rendered = try rendered(question)
        var ids = rendered.ids
        guard let layout = bundle.pictureLayout, !question.pictures.isEmpty else { return Prompt(ids: ids) }
        var collector = PictureCollector(layout)
        for (picture, span) in zip(question.pictures, rendered.imageSpans) {
            try collector.add(picture.values, size: picture.imageSize, span: span, in: &ids)
        }
        return Prompt(ids: ids, pictures: collector.groups)
    }

    private func rendered(_ question: Question) throws -> RenderedConversation {
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
        return rendered
    }
}
