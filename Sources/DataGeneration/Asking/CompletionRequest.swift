import Basics

/// What a language or vision model is asked.
public struct CompletionRequest: Sendable {
    /// One message.
    public struct Message: Sendable, Equatable {
        /// `system`, `user` or `assistant`.
        public var role: String
        /// The text.
        public var text: String
        /// Encoded pictures that belong to it.
        public var pictures: [Picture]

        /// A message.
        public init(role: String, text: String, pictures: [Picture] = []) {
            self.role = role
            self.text = text
            self.pictures = pictures
        }
    }

    /// An encoded picture.
    public struct Picture: Sendable, Equatable {
        /// `png` or `jpeg`.
        public var type: String
        /// The file's bytes.
        public var bytes: [UInt8]

        /// A picture.
        public init(type: String, bytes: [UInt8]) {
            self.type = type
            self.bytes = bytes
        }
    }

    /// The conversation so far.
    public var messages: [Message]
    /// How the answer is drawn.
    public var sampling: Sampling
    /// Tells apart requests that are equal and yet to be asked more than once.
    public var draw = 0

    /// How an answer is drawn.
    public struct Sampling: Sendable, Equatable {
        /// Most tokens of the answer.
        public var maximumTokens = 512
        /// 0 takes the likeliest token.
        public var temperature = 0.7
        /// Draw among the likeliest tokens that reach this share together.
        public var topP = 1.0
        /// Makes tokens that occurred less likely.
        public var presencePenalty = 0.0
        /// Texts that end the answer.
        public var stop: [String] = []

        /// The defaults.
        public init() {}
    }

    /// A request.
    public init(_ messages: [Message], sampling: Sampling = Sampling()) {
        self.messages = messages
        self.sampling = sampling
    }

    /// SHA-256 over everything that the answer depends on, the model's name included: the same digest, the same answer.
    public func digest(model: String) -> String {
        var parts: [JSON] = [.string(model), .int(draw), .int(sampling.maximumTokens), .number(sampling.temperature)]
        parts += [.number(sampling.topP), .number(sampling.presencePenalty)]
        parts.append(.array(sampling.stop.map { .string($0) }))
        for message in messages {
            parts += [.string(message.role), .string(message.text)]
            parts += message.pictures.map { picture in
                .string(picture.bytes.withUnsafeBytes { SHA256.hex(of: $0) })
            }
        }
        return JSON.array(parts).serializedBytes().withUnsafeBytes { SHA256.hex(of: $0) }
    }
}

/// What a model answered.
public struct Completion: Sendable, Equatable {
    /// The text.
    public var text: String
    /// `stop` when the model ended it, `length` when it was cut at its limit, `content_filter` when the server cut it.
    public var finish: String
    /// Whether it may lack its end, or all of it.
    public var isCut: Bool { finish == "length" || finish == "content_filter" }
    /// Tokens of the prompt, as the writer counts them.
    public var promptTokens: Int
    /// Tokens of the answer.
    public var completionTokens: Int

    /// An answer.
    public init(text: String, finish: String = "stop", promptTokens: Int = 0, completionTokens: Int = 0) {
        self.text = text
        self.finish = finish
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
    }

    /// A count as a server or a journal gives it: what no answer can take counts for nothing, so that a budget holds.
    static func tokens(_ value: JSON?) -> Int {
        value?.int.flatMap { (0...1_000_000_000).contains($0) ? $0 : nil } ?? 0
    }
}

/// Who writes answers: an endpoint, a local model, or a test.
public protocol CompletionWriter: Sendable {
    /// The model's name, part of every request's digest.
    var model: String { get }
    /// Asks once.
    /// - Throws: ``CompletionFailure``.
    func complete(_ request: CompletionRequest) throws(CompletionFailure) -> Completion
}

/// Why an attempt gave no answer.
public struct CompletionFailure: Error, Sendable, Equatable {
    /// What the failure means for going on.
    public enum Kind: Sendable, Equatable {
        /// Too many requests, a fault of the server, a broken connection: try again, after so many seconds if it says.
        case transient(after: Double?)
        /// This request is refused; others may do.
        case refused
        /// Nothing will do: wrong key, wrong address, wrong model.
        case fatal
    }

    /// What the failure means.
    public var kind: Kind
    /// What happened, without keys.
    public var reason: String

    /// A failure.
    public init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }
}

extension Result where Failure == CompletionFailure {
    /// Why there is no answer; empty when there is one.
    var failureReason: String {
        if case .failure(let failure) = self { failure.reason } else { "" }
    }
}
