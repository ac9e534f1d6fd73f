public import Basics

/// A template in the part of Jinja that published models and prompt collections use.
///
/// Chat templates are rendered as `transformers` does: blocks trimmed (`trim_blocks`, `lstrip_blocks`), no HTML escaping, `{% break %}`,
/// `{% continue %}` and `{% generation %}`, the functions `raise_exception`, `strftime_now`, `range`, `namespace`, `dict`.
/// Steps, output and depth are limited, so that no template runs for ever.
public struct Template: Sendable {
    /// The name in messages.
    public let name: String
    let body: [Statement]
    /// Texts and plain names in order, when the template is made of nothing else: most prompts are.
    private let plain: [Piece]?

    private enum Piece: Sendable {
        case text(String)
        case name(String)
    }

    /// Reads a template.
    ///
    /// - Parameter trimsBlocks: whether the line of a block leaves no trace (`trim_blocks`, `lstrip_blocks`), as in chat
    ///   templates; Jinja's own default, which prompt collections follow, is that it does.
    /// - Throws: `JinjaError` with the line.
    public init(_ source: String, name: String = "chat template", trimsBlocks: Bool = true) throws(JinjaError) {
        self.name = name
        guard source.utf8.count <= 1 << 20 else { throw JinjaError(name, 0, "is larger than 1 MiB") }
        var parser = try Parser(source, template: name, trimsBlocks: trimsBlocks)
        let body = try parser.parse()
        self.body = body
        var pieces: [Piece] = []
        for statement in body {
            switch statement.kind {
            case .text(let text): pieces.append(.text(text))
            case .output(.name(let name)): pieces.append(.name(name))
            default: break
            }
        }
        plain = pieces.count == body.count && pieces.count <= 1_000 ? pieces : nil
    }

    /// How much a template may do.
    public struct Limits: Sendable {
        /// Statements and expressions.
        public var steps: Int
        /// Bytes of output, and of any text on the way.
        public var output: Int

        /// Makes limits.
        public init(steps: Int = 1_000_000, output: Int = 16 << 20) {
            self.steps = steps
            self.output = output
        }
    }

    /// What a template gives.
    public struct Rendering: Sendable, Equatable {
        /// The text.
        public var text: String
        /// Ranges of UTF-8 bytes in ``text`` that came from `{% generation %}` blocks: what the model is to say.
        public var generations: [Range<Int>]
    }

    /// Renders the template.
    ///
    /// - Parameters:
    ///   - context: the names it can use, for example `messages`.
    ///   - time: seconds since 1970 for `strftime_now`; nil: now.
    ///   - seed: seed of the filter `choice`.
    /// - Throws: `JinjaError`, with ``JinjaError/isRaised`` when the template refused its input.
    public func render(
        _ context: [String: JSON], time: Int? = nil, seed: UInt64 = 0, limits: Limits = Limits()
    ) throws(JinjaError) -> Rendering {
        if plain != nil, let text = joined({ context[$0]?.string }), text.utf8.count <= limits.output {
            return Rendering(text: text, generations: [])
        }
        let interpreter = Interpreter(context.mapValues(Value.init), time: time, limits: limits)
        interpreter.generator = RandomGenerator(seed: seed)
        do {
            try interpreter.run(body)
        } catch let failure as Failure {
            throw JinjaError(name, interpreter.line, failure.reason, isRaised: failure.isRaised)
        } catch {
            throw JinjaError(name, interpreter.line, "\(error)")
        }
        return Rendering(
            text: String(decoding: interpreter.output, as: UTF8.self), generations: interpreter.generations)
    }

    /// What a template of texts and plain names gives when all its names are texts; nil for all others, which
    /// ``render(_:time:seed:limits:)`` interprets.
    public func joined(_ text: (_ name: String) -> String?) -> String? {
        guard let plain else { return nil }
        var result = ""
        for piece in plain {
            switch piece {
            case .text(let text): result += text
            case .name(let name):
                guard let text = text(name) else { return nil }
                result += text
            }
        }
        return result
    }
}
