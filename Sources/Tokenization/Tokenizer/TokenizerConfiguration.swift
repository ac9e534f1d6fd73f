import Basics

/// The settings of `tokenizer_config.json` that matter for encoding and decoding.
public struct TokenizerConfiguration: Sendable, Equatable {
    /// The beginning-of-text token (`bos_token`).
    public var bosToken: String?
    /// The end-of-text token (`eos_token`).
    public var eosToken: String?
    /// The padding token (`pad_token`).
    public var padToken: String?
    /// The unknown token (`unk_token`).
    public var unkToken: String?
    /// Whether decoding removes spaces before punctuation (`clean_up_tokenization_spaces`).
    public var cleansUpSpaces = false
    /// Most tokens of a sequence (`model_max_length`); nil when the file has none or its "very large" number.
    public var maxLength: Int?
    /// The Jinja chat templates by name; a single one is named `default`.
    public var chatTemplates: [String: String] = [:]

    /// A configuration without any tokens.
    public init() {}

    /// Reads the file's object.
    init(_ json: JSON, source: String) throws {
        let reader = try StageReader(json, source: source, place: "")
        bosToken = try Self.token(reader, "bos_token")
        eosToken = try Self.token(reader, "eos_token")
        padToken = try Self.token(reader, "pad_token")
        unkToken = try Self.token(reader, "unk_token")
        cleansUpSpaces = try reader.bool("clean_up_tokenization_spaces", default: false)
        if let length = reader["model_max_length"]?.double, length > 0, length < 1e9 { maxLength = Int(length) }
        if let template = reader["chat_template"]?.string {
            chatTemplates["default"] = template
        } else if reader["chat_template"]?.array != nil {
            for entry in try reader.readers("chat_template") {
                chatTemplates[try entry.string("name")] = try entry.string("template")
            }
        }
    }

    /// A token given as a string or as an object with `content`.
    private static func token(_ reader: StageReader, _ key: String) throws -> String? {
        guard let value = reader[key] else { return nil }
        if let token = value.string ?? value["content"]?.string { return token }
        throw reader.failure(key, "expected a token")
    }

    /// Fills roles that are not set from another file (`special_tokens_map.json`).
    mutating func complete(from json: JSON, source: String) throws {
        let other = try TokenizerConfiguration(json, source: source)
        bosToken = bosToken ?? other.bosToken
        eosToken = eosToken ?? other.eosToken
        padToken = padToken ?? other.padToken
        unkToken = unkToken ?? other.unkToken
    }
}
