import Basics
import Tokenization

/// What a record must be like to be kept. A rule that is not set is not applied.
///
/// Rules about texts take out single exchanges; a record goes when none is left. Rules about pictures take out records.
public struct CleaningRules: Sendable {
    /// Words of a question, without its markers.
    public var questionWords: ClosedRange<Int>?
    /// Words of an answer.
    public var answerWords: ClosedRange<Int>?
    /// The most exchanges of a record; those beyond are cut.
    public var maximumExchanges: Int?
    /// Scripts that texts may be written in.
    public var scripts: [Script] = []
    /// The share of letters that must be in one of ``scripts``.
    public var scriptShare = 0.9
    /// How often a stretch of 4 words may stand in one answer; answers of machines that loop repeat themselves.
    public var maximumRepeats: Int?
    /// How often the same answer of more than 3 words may stand in one record.
    public var maximumEqualAnswers: Int?
    /// Beginnings of answers that refuse, lower-cased.
    public var refusals: [String] = []
    /// Words and phrases that no text may hold, as whole words, whatever their case.
    public var blocked: [String] = []
    /// Whether an answer may stand word for word in its own question (of at least ``leakWords`` words).
    public var forbidsLeaks = false
    /// Answers shorter than this are not looked for in the question: "Is it red or blue?" may be answered with "red".
    public var leakWords = 3
    /// The least side of a picture in pixels.
    public var minimumSide: Int?
    /// The most that a picture may be longer than wide, or wider than long.
    public var maximumAspect: Double?
    /// Whether every picture must decode.
    public var decodesPictures = false
    /// An evaluation set that no record may share texts or pictures with.
    public var evaluation: EvaluationOverlap?

    /// No rules.
    public init() {}

    /// Whether pictures have to be looked at.
    var looksAtPictures: Bool {
        minimumSide != nil || maximumAspect != nil || decodesPictures || evaluation?.looksAtPictures == true
    }

    /// Beginnings of answers by which common assistants refuse.
    public static let commonRefusals = [
        "i'm sorry", "i am sorry", "sorry, i", "sorry, but", "i cannot", "i can't", "i can not", "i'm unable",
        "i am unable", "i'm not able", "i am not able", "unfortunately, i", "as an ai", "as a language model",
        "as an artificial intelligence", "i'm just an ai", "i do not have the ability", "i don't have the ability",
        "i cannot see", "i can't see", "i apologize", "my apologies", "it is not possible for me",
    ]

    /// Why an exchange must go; nil when it may stay.
    func fault(question: String, answer: String, _ wordsOfBlocked: [[UInt64]]) -> (rule: String, reason: String)? {
        lazy var asked = question.replacing(utf8: Conversation.imageMarker, with: " ").trimmed
        lazy var questionWordsFound = WordSequence(asked)
        lazy var answerWordsFound = WordSequence(answer)
        if let questionWords, !questionWords.contains(questionWordsFound.count) {
            return ("length", "the question has \(questionWordsFound.count.counted("word"))")
        }
        if let answerWords, !answerWords.contains(answerWordsFound.count) {
            return ("length", "the answer has \(answerWordsFound.count.counted("word"))")
        }
        if !scripts.isEmpty {
            for (name, text) in [("question", asked), ("answer", answer)] {
                let share = Script.share(of: scripts, in: text)
                if share < scriptShare {
                    return ("script", "\(Int((share * 100).rounded())) % of the \(name)'s letters are in the script")
                }
            }
        }
        if let maximumRepeats, let times = Self.repeats(answerWordsFound), times > maximumRepeats {
            return ("repeats", "four words stand \(times) times in the answer")
        }
        if let refusal = Self.refusal(answer, refusals) { return ("refusal", "the answer begins with \"\(refusal)\"") }
        for (index, phrase) in wordsOfBlocked.enumerated() where !phrase.isEmpty {
            for (name, words) in [("question", questionWordsFound), ("answer", answerWordsFound)]
            where Self.contains(words.words, phrase) {
                return ("blocked", "\"\(blocked[index])\" stands in the \(name)")
            }
        }
        if forbidsLeaks, answerWordsFound.count >= leakWords,
            Self.contains(questionWordsFound.words, answerWordsFound.words)
        {
            return ("leak", "the question holds the answer")
        }
        return nil
    }

    /// Phrases as words.
    func blockedWords() -> [[UInt64]] { blocked.map { WordSequence($0).words } }

    private static func refusal(_ answer: String, _ refusals: [String]) -> String? {
        guard !refusals.isEmpty else { return nil }
        // Plain letters are lower-cased where they stand; all others go through Unicode's rules.
        let start = answer.utf8.drop { $0 == 32 || (9...13).contains($0) }.prefix(60)
        if start.allSatisfy({ $0 < 0x80 }) {
            return refusals.first { refusal in
                refusal.utf8.count <= start.count
                    && zip(start, refusal.utf8).allSatisfy { ((65...90).contains($0) ? $0 | 0x20 : $0) == $1 }
            }
        }
        let text = String(answer.trimmed.prefix(60)).lowercased().replacing(utf8: "\u{2019}", with: "'")
        return refusals.first { text.hasPrefix($0) }
    }

    /// How often the most frequent run of four words occurs.
    private static func repeats(_ words: WordSequence) -> Int? {
        guard words.count >= 8 else { return nil }
        var runs: [UInt64] = []
        runs.reserveCapacity(words.count - 3)
        for start in 0...(words.count - 4) {
            var hash: UInt64 = 0
            for word in words.words[start..<(start + 4)] { hash = (hash &* 0x9E37_79B9_7F4A_7C15) ^ word }
            runs.append(hash)
        }
        runs.sort()
        var (most, times) = (1, 1)
        for index in runs.indices.dropFirst() {
            times = runs[index] == runs[index - 1] ? times + 1 : 1
            most = max(most, times)
        }
        return most
    }

    static func contains(_ words: [UInt64], _ phrase: [UInt64]) -> Bool {
        guard !phrase.isEmpty, phrase.count <= words.count else { return false }
        return (0...(words.count - phrase.count)).contains { words[$0..<($0 + phrase.count)].elementsEqual(phrase) }
    }
}
