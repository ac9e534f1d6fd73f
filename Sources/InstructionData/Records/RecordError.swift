public import Basics

/// A fault of one record, with the file and line where the record begins.
public struct RecordError: Problem {
    /// The data file.
    public let path: String
    /// 1-based line of the record's first byte (or of the fault, where known).
    public let line: Int
    /// What is wrong.
    public let reason: String
    /// What to do.
    public let fix: String?

    /// Makes an error.
    public init(path: String, line: Int, reason: String, fix: String?) {
        self.path = path
        self.line = line
        self.reason = reason
        self.fix = fix
    }

    /// `file:line: reason`.
    public var problem: String { "\(path):\(line): \(reason)" }
}

/// A fault inside a record before its place in a file is known.
struct RecordFault: Error, Sendable {
    var reason: String
    var fix: String?

    init(_ reason: String, fix: String? = nil) {
        self.reason = reason
        self.fix = fix
    }
}

/// Something that `--lenient` reading changed so that a record could be used.
public enum Repair: String, Sendable, CaseIterable, Hashable {
    /// An answer before the first question was dropped.
    case droppedLeadingAnswer = "dropped an answer before the first question"
    /// Two turns of one role in a row became one turn.
    case joinedTurns = "joined two turns of one role in a row"
    /// A question at the end without an answer was dropped.
    case droppedTrailingQuestion = "dropped a question without an answer"
    /// An exchange with an empty answer was dropped.
    case droppedEmptyAnswer = "dropped an exchange with an empty answer"
    /// A system turn after the first turn was dropped.
    case droppedLateSystemTurn = "dropped a system turn that was not the first"
    /// Pictures without an `<image>` marker got one, before the first question.
    case addedMarkers = "added missing <image> markers before the first question"
    /// `<image>` markers without a picture were removed.
    case removedMarkers = "removed <image> markers that have no picture"
    /// An `<image>` marker inside an answer was removed.
    case removedMarkersFromAnswer = "removed <image> markers from an answer"
}
