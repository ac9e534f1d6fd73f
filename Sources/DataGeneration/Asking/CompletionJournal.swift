import Basics
import Synchronization

/// Answers that were paid for, one a line, by the digest of their request: a run that was killed asks nothing twice.
public final class CompletionJournal: Sendable {
    /// The file.
    public let path: String
    private let file: AppendFile
    private let state: Mutex<State>

    private struct State {
        var answers: [String: Completion] = [:]
        var tokens = 0
    }

    /// Opens a journal and reads what it holds; a line that a kill tore is cut off.
    ///
    /// - Throws: a `Problem`, also when another process writes the file.
    public init(_ path: String) throws {
        self.path = path
        try Files.createDirectory(Paths.parent(path))
        file = try AppendFile(path, beginning: "{\"digest\":")
        var state = State()
        for line in try Files.readLines(path, limit: .max) {
            let value: JSON
            do throws(JSONError) { value = try JSON.parse(line.text, line: line.number, of: path) } catch {
                throw UserError(
                    error.problem,
                    fix: "delete this line, whose question is then asked again; or name the journal of an earlier run")
            }
            guard let digest = value["digest"]?.string, let text = value["text"]?.string else {
                throw UserError(
                    "\(path):\(line.number): no line of a journal",
                    fix: "name the journal of an earlier run, or a file that is not there yet")
            }
            let completion = Completion(
                text: text, finish: value["finish"]?.string ?? "stop",
                promptTokens: Completion.tokens(value["prompt_tokens"]),
                completionTokens: Completion.tokens(value["completion_tokens"]))
            state.answers[digest] = completion
            state.tokens += completion.promptTokens + completion.completionTokens
        }
        self.state = Mutex(state)
    }

    /// Answers that it holds.
    public var count: Int { state.withLock { $0.answers.count } }
    /// Tokens that its answers and their prompts took.
    public var tokens: Int { state.withLock { $0.tokens } }

    func answer(_ digest: String) -> Completion? { state.withLock { $0.answers[digest] } }

    /// Writes an answer down before anything is made of it.
    func record(_ completion: Completion, digest: String, model: String) throws {
        let line: JSON = [
            "digest": .string(digest), "model": .string(model), "finish": .string(completion.finish),
            "prompt_tokens": .int(completion.promptTokens), "completion_tokens": .int(completion.completionTokens),
            "text": .string(completion.text),
        ]
        try file.appendLine(line.serialized())
        state.withLock { state in
            if state.answers.updateValue(completion, forKey: digest) == nil {
                state.tokens += completion.promptTokens + completion.completionTokens
            }
        }
    }

    /// Leaves no file behind where no answer came.
    public func removeIfEmpty() { if count == 0, Files.isRegularFile(path) { try? Files.remove(path) } }

    /// Waits until the disk holds every answer.
    public func close() throws { try file.close() }
}
