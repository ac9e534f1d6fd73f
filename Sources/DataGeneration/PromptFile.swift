import Basics
import InstructionData
import Jinja
import Yams

/// What a strategy asks, from a file under `Datasets/prompts`: texts with Jinja, examples, and how answers are drawn.
///
/// ```yaml
/// system: You are ...
/// user: "{{ context }}"
/// examples:
///   - {user: ..., assistant: ...}
/// maximum_tokens: 1024
/// temperature: 0.7
/// ```
public struct PromptFile: Sendable {
    /// The file.
    public let path: String
    /// The first 16 digits of the file's SHA-256, kept in every record that it led to.
    public let digest: String
    private let system: Template?
    private let user: Template
    private let examples: [(user: String, assistant: String)]
    private let sampling: CompletionRequest.Sampling

    private static let keys = [
        "summary", "system", "user", "examples", "maximum_tokens", "temperature", "top_p", "presence_penalty", "stop",
    ]

    /// Reads and checks a file.
    ///
    /// - Parameter names: what the strategy can fill in; the file may use no other.
    /// - Throws: `UserError` naming file and line.
    public init(_ path: String, names: [String]) throws {
        self.path = path
        let text = try Files.readText(path, limit: 4 << 20)
        digest = String(Array(text.utf8).withUnsafeBytes { SHA256.hex(of: $0) }.prefix(16))
        guard let root = try YAMLText.root(of: text, source: path), let mapping = root.mapping else {
            throw UserError("\(path): no keys and values", fix: "see the files in Datasets/prompts")
        }
        for (key, _) in mapping where !Self.keys.contains(key.string ?? "") {
            throw UserError(
                "\(path):\(key.mark?.line ?? 0): unknown key \"\(key.string ?? "")\""
                    + Suggestion.phrase(for: key.string ?? "", among: Self.keys),
                fix: "known keys: \(Self.keys.joined(separator: ", "))")
        }
        func template(_ key: String) throws -> Template? {
            guard let source = root[key]?.scalar?.string else { return nil }
            let template = try Template(source, name: "\(path), \(key)", trimsBlocks: true)
            for name in template.names.sorted() where !names.contains(name) {
                throw UserError(
                    "\(path): \(key) uses \"\(name)\"" + Suggestion.phrase(for: name, among: names),
                    fix: "this strategy fills in: \(names.joined(separator: ", "))")
            }
            return template
        }
        system = try template("system")
        guard let user = try template("user") else {
            throw UserError("\(path): \"user\" is missing", fix: "write what the model is asked under user:")
        }
        self.user = user
        examples = try (root["examples"]?.sequence.map(Array.init) ?? []).map { node in
            guard let asked = node["user"]?.scalar?.string, let answered = node["assistant"]?.scalar?.string else {
                throw UserError(
                    "\(path):\(node.mark?.line ?? 0): an example needs \"user\" and \"assistant\"",
                    fix: "add the missing one")
            }
            return (asked, answered)
        }
        var sampling = CompletionRequest.Sampling()
        func number(_ key: String, _ range: ClosedRange<Double>) throws -> Double? {
            guard let node = root[key] else { return nil }
            guard let value = node.float, range.contains(value) else {
                throw UserError(
                    "\(path):\(node.mark?.line ?? 0): \(key) must be a number from \(range.lowerBound) to \(range.upperBound)",
                    fix: "correct it")
            }
            return value
        }
        if let value = try number("maximum_tokens", 1...1_000_000) { sampling.maximumTokens = Int(value) }
        if let value = try number("temperature", 0...5) { sampling.temperature = value }
        if let value = try number("top_p", 0.001...1) { sampling.topP = value }
        if let value = try number("presence_penalty", -2...2) { sampling.presencePenalty = value }
        sampling.stop = root["stop"]?.sequence?.compactMap { $0.scalar?.string } ?? []
        self.sampling = sampling
    }

    /// A request with the names filled in.
    func request(
        _ context: [String: JSON], pictures: [CompletionRequest.Picture] = [], draw: Int = 0
    ) throws -> CompletionRequest {
        var messages: [CompletionRequest.Message] = []
        if let system { messages.append(.init(role: "system", text: try system.render(context).text)) }
        for example in examples {
            messages.append(.init(role: "user", text: example.user))
            messages.append(.init(role: "assistant", text: example.assistant))
        }
        messages.append(.init(role: "user", text: try user.render(context).text, pictures: pictures))
        var request = CompletionRequest(messages, sampling: sampling)
        request.draw = draw
        return request
    }
}
