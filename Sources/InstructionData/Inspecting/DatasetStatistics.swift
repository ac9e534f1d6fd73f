public import Basics
import Tokenization

/// What a data set holds, in numbers: turns, lengths, answers, pictures, repetitions.
public struct DatasetStatistics: Sendable {
    /// Quantities whose spread is told.
    public enum Quantity: String, CaseIterable, Sendable {
        case exchanges = "questions a record"
        case pictures = "pictures a record"
        case questionWords = "words a question"
        case answerWords = "words an answer"
        case answerTokens = "tokens an answer"
        case recordTokens = "tokens of text a record"
        case pictureWidth = "pixels a picture is wide"
        case pictureHeight = "pixels a picture is high"
    }

    /// The data file.
    public var path = ""
    /// Records that were read.
    public private(set) var records = 0
    /// Records that are broken.
    public private(set) var broken = 0
    /// Records whose turns and pictures occur before.
    public private(set) var repeated = 0
    /// How often each value of a quantity occurs.
    public private(set) var counts: [Quantity: [Int: Int]] = [:]
    /// How often each answer occurs (the first million different ones).
    public private(set) var answers: [String: Int] = [:]
    /// How often each first line of a question occurs (the first million different ones).
    public private(set) var questions: [String: Int] = [:]
    /// How often each word occurs in questions and answers, lower-cased (the first million different ones).
    public private(set) var words: [String: Int] = [:]
    /// Different pictures that records name.
    public private(set) var pictures = 0
    /// Pictures whose header can't be read.
    public private(set) var brokenPictures = 0
    /// Records of each `source`, where records name one.
    public private(set) var sources: [String: Int] = [:]

    /// Texts and values beyond this many different ones are not counted apart.
    private static let distinctLimit = 1_000_000

    private struct Part: Sendable {
        var values: [(Quantity, Int)] = []
        var answers: [String] = []
        var questions: [String] = []
        var words: [String: Int] = [:]
        var hashes: [UInt64] = []
        var sources: [String] = []
        var broken = 0
    }

    /// Reads a whole data set on several threads.
    /// - Parameters:
    ///   - countTokens: how many tokens a text has for a model; nil leaves token counts out.
    ///   - progress: called with the records so far.
    /// - Throws: a `Problem`, also when not one record can be read.
    public init(
        _ dataset: InstructionDataset, workers: Int = Parallel.processors,
        countTokens: (@Sendable (String) -> Int)? = nil, progress: ((Int) throws -> Void)? = nil
    ) throws {
        path = dataset.path
        var hashes: Set<UInt64> = []
        // Only headers are read, so that sizes cost little.
        let ledger = PictureLedger(.init(), under: dataset.imageFolder)
        try DatasetPass(dataset, workers: workers).run { positions, tape in
            Self.part(dataset, positions, tape, ledger, countTokens)
        } consume: { done, part in
            add(part, hashes: &hashes)
            try progress?(done)
        }
        if records == 0, broken > 0 { throw UserError.unreadable(path, broken) }
        ledger.forEach { fact in
            pictures += 1
            guard fact.width > 0 else { return brokenPictures += 1 }
            counts[.pictureWidth, default: [:]][fact.width, default: 0] += 1
            counts[.pictureHeight, default: [:]][fact.height, default: 0] += 1
        }
    }

    private static func part(
        _ dataset: InstructionDataset, _ positions: [Int], _ tape: JSONTape, _ ledger: PictureLedger,
        _ countTokens: (@Sendable (String) -> Int)?
    ) -> Part {
        var part = Part()
        for position in positions {
            var repairs: [Repair] = []
            guard let record = try? dataset.unresolvedRecord(at: position, repairs: &repairs, on: tape) else {
                part.broken += 1
                continue
            }
            for image in record.images { _ = ledger[image] }
            let dialogue = record.conversation.dialogue
            part.values.append((.exchanges, dialogue.count / 2))
            part.values.append((.pictures, record.images.count))
            var tokens = 0
            for turn in dialogue {
                let text = turn.content.replacing(utf8: "<image>", with: "").trimmed
                let words = text.lowercased().split { $0.isWhitespace }
                for word in words { part.words[String(word.trimmingPunctuation), default: 0] += 1 }
                let own = countTokens?(text) ?? 0
                tokens += own
                if turn.role == .user {
                    part.values.append((.questionWords, words.count))
                    part.questions.append(String(text.split(separator: "\n").first ?? ""))
                } else {
                    part.values.append((.answerWords, words.count))
                    if countTokens != nil { part.values.append((.answerTokens, own)) }
                    part.answers.append(text)
                }
            }
            part.words[""] = nil
            if countTokens != nil { part.values.append((.recordTokens, tokens)) }
            part.hashes.append(Self.hash(record))
            if let source = record.metadata["source"]?.string { part.sources.append(source) }
        }
        return part
    }

    private mutating func add(_ part: Part, hashes: inout Set<UInt64>) {
        records += part.hashes.count
        broken += part.broken
        for (quantity, value) in part.values { counts[quantity, default: [:]][value, default: 0] += 1 }
        for answer in part.answers where answers.count < Self.distinctLimit || answers[answer] != nil {
            answers[answer, default: 0] += 1
        }
        for question in part.questions where questions.count < Self.distinctLimit || questions[question] != nil {
            questions[question, default: 0] += 1
        }
        for (word, count) in part.words where words.count < Self.distinctLimit || words[word] != nil {
            words[word, default: 0] += count
        }
        for source in part.sources where sources.count < Self.distinctLimit || sources[source] != nil {
            sources[source, default: 0] += 1
        }
        for hash in part.hashes where !hashes.insert(hash).inserted { repeated += 1 }
    }

    /// FNV-1a over turns and pictures.
    private static func hash(_ record: InstructionRecord) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ text: String) {
            for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            hash = (hash ^ 0xFF) &* 0x100_0000_01B3
        }
        for image in record.images { add(image.description) }
        for turn in record.conversation.turns { add(turn.content) }
        return hash
    }

    // MARK: - Reading the numbers

    /// Mean, median, 95th percentile and maximum of a quantity; nil when there is none.
    public func spread(of quantity: Quantity) -> (mean: Double, median: Int, high: Int, maximum: Int)? {
        guard let counted = counts[quantity] else { return nil }
        let total = counted.values.reduce(0, +)
        guard total > 0 else { return nil }
        let sorted = counted.sorted { $0.key < $1.key }
        func percentile(_ share: Double) -> Int {
            var left = Int((Double(total) * share).rounded(.up))
            for (value, count) in sorted {
                left -= count
                if left <= 0 { return value }
            }
            return sorted[sorted.count - 1].key
        }
        let sum = counted.reduce(0.0) { $0 + Double($1.key) * Double($1.value) }
        return (sum / Double(total), percentile(0.5), percentile(0.95), sorted[sorted.count - 1].key)
    }

    /// The most frequent texts, the first in byte order of equals.
    public static func top(_ counted: [String: Int], _ count: Int) -> [(text: String, count: Int)] {
        counted.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(count).map { ($0.key, $0.value) }
    }

    /// The numbers as JSON.
    public var json: JSON {
        var spreads = JSONObject()
        for quantity in Quantity.allCases {
            guard let spread = spread(of: quantity) else { continue }
            spreads[quantity.rawValue] = [
                "mean": .number(spread.mean), "median": .int(spread.median), "p95": .int(spread.high),
                "max": .int(spread.maximum),
            ]
        }
        func texts(_ counted: [String: Int]) -> JSON {
            .array(Self.top(counted, 20).map { ["text": .string($0.text), "count": .int($0.count)] })
        }
        let sources = JSONObject(Self.top(self.sources, 1000).map { ($0.text, .int($0.count)) })
        return [
            "data": .string(path), "sources": .object(sources), "records": .int(records), "broken": .int(broken),
            "repeated": .int(repeated), "pictures": .int(pictures), "broken_pictures": .int(brokenPictures),
            "spreads": .object(spreads), "different_answers": .int(answers.count),
            "different_questions": .int(questions.count), "different_words": .int(words.count),
            "words": texts(words), "answers": texts(answers), "questions": texts(questions),
        ]
    }
}

extension DatasetStatistics {
    /// Adds each quantity's spread as a plot to the files of a folder, `<quantity>.svg` with `-` for spaces.
    /// - Returns: how many there are.
    public func writePlots(to folder: inout AtomicFiles) throws -> Int {
        var plots = 0
        for quantity in Quantity.allCases {
            guard let counts = counts[quantity] else { continue }
            let name = quantity.rawValue.replacing(utf8: " ", with: "-") + ".svg"
            try folder.write(Histogram(title: quantity.rawValue, counts: counts).file, to: name)
            plots += 1
        }
        return plots
    }
}

extension Substring {
    /// Without marks in front and behind.
    fileprivate var trimmingPunctuation: Substring {
        func isMark(_ character: Character) -> Bool { character.isPunctuation || character.isSymbol }
        guard let first = firstIndex(where: { !isMark($0) }), let last = lastIndex(where: { !isMark($0) }) else {
            return ""
        }
        return self[first...last]
    }
}
