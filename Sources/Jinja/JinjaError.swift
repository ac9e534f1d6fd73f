public import Basics

/// Why a template cannot be read or rendered.
public struct JinjaError: Problem, Equatable {
    /// The template's name.
    public let template: String
    /// Line in the template, from 1; 0 when it is not known.
    public let line: Int
    /// What is wrong.
    public let reason: String
    /// Whether the template itself refused its input (`raise_exception`).
    public let isRaised: Bool

    init(_ template: String, _ line: Int, _ reason: String, isRaised: Bool = false) {
        self.template = template
        self.line = line
        self.reason = reason
        self.isRaised = isRaised
    }

    /// What is wrong, and where.
    public var problem: String { line > 0 ? "\(template):\(line): \(reason)" : "\(template): \(reason)" }
    /// What to do about it.
    public var fix: String? {
        isRaised ? "change the conversation as the template asks" : "choose another chat template, or report this one"
    }
}

/// A failure inside the interpreter, before it is known where.
struct Failure: Error {
    let reason: String
    var isRaised = false

    init(_ reason: String, isRaised: Bool = false) {
        self.reason = reason
        self.isRaised = isRaised
    }
}
