import Basics
import Tokenization

/// Reads one published form of image-and-text data.
///
/// Adding a form takes one file with such a type, and its line in ``ConverterRegistry``.
public protocol DatasetConverter: Sendable {
    /// The word on the command line.
    static var kind: String { get }
    /// Other words for the same.
    static var aliases: [String] { get }
    /// One line for the list of converters.
    static var summary: String { get }

    /// Choices of the request that it looks at, beyond those of all converters.
    static var choices: Set<ConversionChoice> { get }

    /// Makes a converter; what it needs to know is in the request.
    init()

    /// Reads the source and emits its records in order.
    /// - Throws: a `Problem` that names file and line.
    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws
}

extension DatasetConverter {
    /// No other words.
    public static var aliases: [String] { [] }
    /// No further choices.
    public static var choices: Set<ConversionChoice> { [] }
}

/// A choice that only some converters look at, by its option on the command line.
public enum ConversionChoice: String, CaseIterable, Sendable {
    /// The second file.
    case annotations = "--annotations"
    /// The part.
    case split = "--split"
    /// Named columns.
    case columns = "--image-column, --question-column, --answer-column, --id-column"
    /// How pictures are named.
    case imagePattern = "--image-pattern"
}

/// What a conversion reads, and the choices that converters share.
public struct ConversionRequest: Sendable {
    /// The source: a file, a folder or an archive, as the converter says.
    public var input: String
    /// The folder of the pictures, where it is not given by the input.
    public var images: String?
    /// A second file with the answers (VQAv2).
    public var annotations: String?
    /// The part of the data set, `train` or `test` for instance.
    public var split: String?
    /// Named columns.
    public var columns = Columns()
    /// The question for data that has none (captions, classes).
    public var question: String?
    /// Text that is put behind each question, on a line of its own.
    public var questionSuffix: String?
    /// Each question a record of its own, rather than all questions about a picture in one conversation.
    public var oneQuestion = false
    /// Leave out what is broken, with a report, rather than stop.
    public var lenient = false
    /// How a picture's file is named after its number, with `{id}` or `{id:012}`.
    public var imagePattern: String?

    /// The part that is wanted, for converters that can pick it themselves before they read.
    var shard: Conversion.Shard?

    /// Which columns hold what.
    public struct Columns: Sendable, Equatable {
        /// The picture's path; nil for text-only data.
        public var image: String?
        /// The question.
        public var question: String?
        /// The answer.
        public var answer: String?
        /// The record's name.
        public var id: String?

        /// No columns.
        public init() {}
    }

    /// A request without choices.
    public init(input: String) { self.input = input }

    /// Refuses choices that the converter would pass over, and pictures that are nowhere.
    func check(for converter: any DatasetConverter.Type) throws(UserError) {
        let made: [(choice: ConversionChoice, isMade: Bool)] = [
            (.annotations, annotations != nil), (.split, split != nil), (.columns, columns != Columns()),
            (.imagePattern, imagePattern != nil),
        ]
        for (choice, isMade) in made where isMade && !converter.choices.contains(choice) {
            let kinds = ConverterRegistry.all.filter { $0.choices.contains(choice) }.map { $0.kind }
            throw UserError(
                "\(converter.kind) has no use for \(choice.rawValue)",
                fix: "leave that out; of use to \(kinds.joined(separator: ", "))")
        }
        if let questionSuffix, questionSuffix.count(ofUTF8: Conversation.imageMarker) > 0 {
            throw UserError(
                "--question-suffix holds \(Conversation.imageMarker)",
                fix: "leave that out: pictures go before the first question")
        }
        try ImageReference.requireFolder(images)
    }

    /// A question with the suffix of the request.
    func asked(_ question: String) -> String {
        guard let questionSuffix, !questionSuffix.isEmpty else { return question }
        return question + "\n" + questionSuffix
    }
}
