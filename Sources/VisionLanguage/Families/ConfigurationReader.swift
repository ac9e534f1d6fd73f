package import Basics
import TensorCore

/// Reads a `config.json` with the peer's defaults; anything this code cannot do is an error that names it.
package struct ConfigurationReader {
    let json: JSON
    let source: String

    /// A reader of a parsed file.
    package init(json: JSON, source: String) {
        self.json = json
        self.source = source
    }

    /// A value that may be missing; a wrong type is an error.
    ///
    /// - Parameter most: the largest value; products of two such sizes cannot overflow.
    func int(_ key: String, _ fallback: Int, most: Int = 1 << 24) throws -> Int {
        guard let value = present(key) else { return fallback }
        guard let number = value.int else { throw wrong(key, value, "a whole number") }
        guard (0...most).contains(number) else { throw unsupported(key, "\(number)") }
        return number
    }

    /// The ε of a norm: above 0, or equal rows would divide by zero, and small.
    func epsilon(_ key: String, _ fallback: Double) throws -> Float {
        let value = try double(key, fallback)
        guard value > 0, value < 1 else { throw unsupported(key, "\(value)") }
        return Float(value)
    }

    func required(_ key: String) throws -> Int {
        guard present(key) != nil else {
            throw UserError(
                "\(source): \"\(key)\" is missing", fix: "take the configuration from the model's publisher")
        }
        return try int(key, 0)
    }

    func double(_ key: String, _ fallback: Double) throws -> Double {
        guard let value = present(key) else { return fallback }
        guard let number = value.double, number.isFinite else { throw wrong(key, value, "a number") }
        return number
    }

    /// A number above 0, of which powers, quotients or logarithms are taken.
    func positive(_ key: String, _ fallback: Double) throws -> Double {
        let value = try double(key, fallback)
        guard value > 0 else { throw unsupported(key, "\(value)") }
        return value
    }

    func bool(_ key: String, _ fallback: Bool) throws -> Bool {
        guard let value = present(key) else { return fallback }
        guard let flag = value.bool else { throw wrong(key, value, "true or false") }
        return flag
    }

    func string(_ key: String) throws -> String? {
        guard let value = present(key) else { return nil }
        guard let text = value.string else { throw wrong(key, value, "a text") }
        return text
    }

    /// A list of texts; empty when it is missing.
    func strings(_ key: String) throws -> [String] {
        guard let value = present(key) else { return [] }
        guard let list = value.array, !list.contains(where: { $0.string == nil }) else {
            throw wrong(key, value, "a list of texts")
        }
        return list.compactMap(\.string)
    }

    /// A part of the configuration, read with the same rules.
    func part(_ key: String) throws -> ConfigurationReader? {
        guard let value = present(key) else { return nil }
        guard value.object != nil else { throw wrong(key, value, "an object") }
        return ConfigurationReader(json: value, source: "\(source): \(key)")
    }

    /// A part that is missing: everything in it has its default.
    func empty(_ key: String) -> ConfigurationReader { ConfigurationReader(json: [:], source: "\(source): \(key)") }

    /// A value that must be one of those supported.
    func only<Value: Equatable>(_ key: String, _ value: Value?, _ supported: [Value?]) throws {
        guard supported.contains(where: { $0 == value }) else {
            let found = present(key)?.serialized() ?? "null"
            throw unsupported(key, found)
        }
    }

    func unsupported(_ key: String, _ value: String) -> UserError {
        UserError(
            "\(source): \"\(key)\": \(value) is not supported",
            fix: "use a model of a supported family (see the README)")
    }

    func activation(_ key: String, _ fallback: Activation) throws -> Activation {
        switch try string(key) {
        case nil: fallback
        case "gelu": .gelu
        case "gelu_pytorch_tanh", "gelu_new", "gelu_fast": .geluTanh
        case "quick_gelu": .quickGelu
        case "silu", "swish": .silu
        case "relu": .relu
        case let name?: throw unsupported(key, "\"\(name)\"")
        }
    }

    private func present(_ key: String) -> JSON? {
        guard let value = json[key], !value.isNull else { return nil }
        return value
    }

    private func wrong(_ key: String, _ value: JSON, _ expected: String) -> UserError {
        UserError("\(source): \"\(key)\" is \(value.kind), expected \(expected)", fix: "correct the file")
    }
}

extension Activation {
    /// The name in `config.json`.
    var huggingFaceName: String {
        switch self {
        case .gelu: "gelu"
        case .geluTanh: "gelu_pytorch_tanh"
        case .quickGelu: "quick_gelu"
        case .silu: "silu"
        case .relu: "relu"
        case .tanh: "tanh"
        case .sigmoid: "sigmoid"
        }
    }
}
