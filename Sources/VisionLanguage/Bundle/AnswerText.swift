import Tokenization

/// Answers whose prompts are through the model.
package struct BegunAnswers {
    let run: GenerationRun
    let texts: AnswerTexts

    /// Completes batches of answers side by side: one model's weights are read once for a token of all of them.
    package static func finish(_ begun: [BegunAnswers]) -> [[Answer]] {
        GenerationRun.finish(begun.map(\.run))
        return begun.map { $0.texts.finish($0.run.answers) }
    }
}

/// Texts of a batch's answers.
final class AnswerTexts {
    private var texts: [AnswerText]
    private let onText: ((Int, String) -> Void)?

    init(_ count: Int, _ tokenizer: Tokenizer, stops: [String], onText: ((Int, String) -> Void)?) {
        texts = (0..<count).map { _ in AnswerText(StreamingDecoder(tokenizer), stops: stops) }
        self.onText = onText
    }

    /// Takes a token of an answer; false when that ends it.
    func push(_ index: Int, _ id: Int32) -> Bool {
        let piece = texts[index].push(id)
        if !piece.isEmpty { onText?(index, piece) }
        return !texts[index].isStopped
    }

    /// The answers, with what was held back.
    func finish(_ raw: [GeneratedAnswer]) -> [Answer] {
        raw.enumerated().map { index, answer in
            let rest = texts[index].finish()
            if !rest.isEmpty { onText?(index, rest) }
            return Answer(
                text: texts[index].trimmed, tokenCount: answer.ids.count,
                reason: texts[index].isStopped ? .stop : answer.reason)
        }
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
