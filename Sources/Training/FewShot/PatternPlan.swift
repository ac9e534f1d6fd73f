public import Basics

/// Ways to ask for a picture's label: patterns, and for each the words that its answers use (Schick & Schütze 2021).
public struct PatternPlan: Sendable {
    /// One way to ask.
    public struct Pattern: Sendable {
        /// Its name; a file name.
        public var name: String
        /// The question.
        public var text: String
        /// The answer that stands for each label, in the order of the plan's labels.
        public var words: [String]
    }

    /// The labels, in the order of the file.
    public let labels: [String]
    /// The patterns, in the order of the file.
    public let patterns: [Pattern]

    /// Reads a plan: `{"patterns": {"what": {"text": "What shape is it?", "verbalizer": {"circle": "a circle", …}}}}`.
    /// - Throws: what is wrong with it, by pattern and label.
    public init(_ path: String) throws { try self.init(json: JSON.read(path), source: path) }

    /// A plan from its JSON.
    /// - Throws: as ``init(_:)``.
    public init(json: JSON, source path: String) throws {
        guard let object = json["patterns"]?.object, let first = object.first else {
            throw UserError(
                "\(path): there are no patterns",
                fix:
                    "write {\"patterns\": {\"what\": {\"text\": \"What is it?\", \"verbalizer\": {\"cat\": \"a cat\"}}}}"
            )
        }
        let labels = first.value["verbalizer"]?.object?.keys.map { $0 } ?? []
        guard labels.count > 1 else {
            throw UserError(
                "\(path): pattern \"\(first.key)\" has \(labels.count.counted("label"))",
                fix: "give its verbalizer two or more")
        }
        var patterns: [Pattern] = []
        for (name, value) in object {
            let isFileName = !name.isEmpty && name.allSatisfy { $0.isLetter || $0.isNumber || "-_".contains($0) }
            guard isFileName, let text = value["text"]?.string, !text.isEmpty else {
                throw UserError(
                    "\(path): pattern \"\(name)\" has no \(isFileName ? "text" : "name that a file can have")",
                    fix: isFileName ? "add \"text\": \"What is it?\"" : "use letters, digits, - and _")
            }
            let verbalizer = value["verbalizer"]?.object ?? JSONObject()
            for label in verbalizer.keys where !labels.contains(label) {
                throw UserError(
                    "\(path): pattern \"\(name)\" has a label \"\(label)\" that \"\(first.key)\" has not",
                    fix: Suggestion.fix(for: label, among: labels, or: "give every pattern the same labels"))
            }
            let words = try labels.map { label in
                guard let word = verbalizer[label]?.string, !word.isEmpty else {
                    throw UserError(
                        "\(path): pattern \"\(name)\" has no word for \"\(label)\"",
                        fix: "add \"\(label)\": \"…\" to its verbalizer")
                }
                return word
            }
            guard Set(words).count == words.count else {
                throw UserError(
                    "\(path): pattern \"\(name)\" has one word for two labels", fix: "give each label its own word")
            }
            patterns.append(Pattern(name: name, text: text, words: words))
        }
        (self.labels, self.patterns) = (labels, patterns)
    }

    /// A conversation that asks by a pattern and answers with a label's word.
    public func record(_ picture: LabelledPicture, _ pattern: Pattern, label: Int, suffix: String = "") -> JSON {
        [
            "id": .string("\(picture.id)-\(pattern.name)\(suffix)"), "image": .string(picture.image),
            "conversations": [
                ["from": "human", "value": .string("<image>\n" + pattern.text)],
                ["from": "gpt", "value": .string(pattern.words[label])],
            ],
        ]
    }

    /// A label's place.
    /// - Throws: an error with the nearest label for an unknown one.
    public func index(of label: String, in path: String) throws -> Int {
        if let index = labels.firstIndex(of: label) { return index }
        throw UserError(
            "\(path): the plan has no label \"\(label)\"",
            fix: Suggestion.fix(for: label, among: labels))
    }
}

/// A picture, and what it shows where that is known.
public struct LabelledPicture: Sendable {
    /// Its name.
    public var id: String
    /// Its path, relative to the file that names it.
    public var image: String
    /// Its label.
    public var label: String?
    /// How probable each label of a plan is, where a model has said so.
    public var probabilities: [Double]?

    /// A picture.
    public init(id: String, image: String, label: String? = nil, probabilities: [Double]? = nil) {
        (self.id, self.image, self.label, self.probabilities) = (id, image, label, probabilities)
    }

    /// Reads lines of `{"id", "image", "label"}`; `answers` of a questions file may stand for the label.
    /// - Throws: what is wrong, by line.
    public static func read(_ path: String, plan: PatternPlan) throws -> [LabelledPicture] {
        let lines = try Files.readLines(path)
        guard !lines.isEmpty else {
            throw UserError("\(path): no pictures", fix: "name a file with {\"image\": …} a line")
        }
        return try lines.enumerated().map { index, line in
            let json = try JSON.parse(line.text, line: line.number, of: path)
            guard let image = json["image"]?.string else {
                throw UserError("\(path):\(line.number): \"image\" is missing", fix: "add \"image\": \"cat.jpg\"")
            }
            let given = [json["label"], json["answers"]?.array?.first].compactMap { $0 }.first { !$0.isNull }
            guard given?.string != nil || given == nil else {
                throw UserError("\(path):\(line.number): the label is no text", fix: "put it in quotes")
            }
            let label = given?.string
            if let label { _ = try plan.index(of: label, in: "\(path):\(line.number)") }
            let shares = json["probabilities"]?.object.map { shares in plan.labels.map { shares[$0]?.double ?? 0 } }
            guard shares?.allSatisfy({ (0...1).contains($0) }) ?? true else {
                throw UserError(
                    "\(path):\(line.number): \"probabilities\" are not all between 0 and 1",
                    fix: "write them with vitrail pet label --output")
            }
            return LabelledPicture(
                id: json["id"]?.string ?? "picture-\(index)", image: image, label: label, probabilities: shares)
        }
    }
}
