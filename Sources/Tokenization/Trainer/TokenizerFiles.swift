public import Basics

/// The two files of a tokenizer in Hugging Face's form, to be changed and written.
public struct TokenizerFiles: Sendable {
    /// The content of `tokenizer.json`.
    public private(set) var tokenizer: JSON
    /// The content of `tokenizer_config.json`.
    public var configuration: JSON
    /// Where they came from, for messages.
    private let source: String

    /// Reads the files of a folder as they are.
    public init(folder: String) throws {
        source = Paths.join(folder, "tokenizer.json")
        tokenizer = try JSON.read(source)
        let path = Paths.join(folder, "tokenizer_config.json")
        configuration = Files.exists(path) ? try JSON.read(path) : .object(JSONObject())
    }

    /// Roles of special tokens for a new tokenizer.
    public struct Roles: Sendable {
        /// Beginning of text.
        public var bos: String?
        /// End of text, or of a turn.
        public var eos: String?
        /// Padding.
        public var pad: String?
        /// Unknown text; byte-level tokenizers never need it.
        public var unk: String?

        /// Names the tokens.
        public init(bos: String? = nil, eos: String? = nil, pad: String? = nil, unk: String? = nil) {
            self.bos = bos
            self.eos = eos
            self.pad = pad
            self.unk = unk
        }
    }

    /// Trains a vocabulary and describes it as a tokenizer.
    ///
    /// - Parameters:
    ///   - trainer: a trainer that has counted its text.
    ///   - roles: which of its special tokens stand for what.
    ///   - addsBeginning: whether encoding with special tokens puts the beginning-of-text token in front.
    public init(training trainer: BPETrainer, roles: Roles, addsBeginning: Bool = false) throws {
        source = "trained tokenizer"
        for role in [roles.bos, roles.eos, roles.pad, roles.unk].compactMap({ $0 })
        where !trainer.specialTokens.contains(role) {
            throw UserError(
                "\"\(role)\" has a role but is not among the special tokens",
                fix: "add it to the special tokens: \(trainer.specialTokens.joined(separator: ", "))")
        }
        let result = try trainer.train()
        let vocabulary = result.tokens.enumerated().map { ($1, JSON.int($0)) }
        let added = trainer.specialTokens.enumerated().map { Self.addedToken($1, id: $0) }
        var postProcessor = JSON.null
        if addsBeginning, let bos = roles.bos, let id = trainer.specialTokens.firstIndex(of: bos) {
            postProcessor = Self.beginning(bos, id: id)
        }
        let byteLevel: JSON = ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true]
        tokenizer = [
            "version": "1.0", "truncation": nil, "padding": nil, "added_tokens": .array(added), "normalizer": nil,
            "pre_tokenizer": trainer.splitting.preTokenizer, "post_processor": postProcessor, "decoder": byteLevel,
            "model": [
                "type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil,
                "end_of_word_suffix": nil, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                "vocab": .object(JSONObject(vocabulary)),
                "merges": .array(result.merges.map { .array([.string($0.left), .string($0.right)]) }),
            ],
        ]
        var config = JSONObject([
            ("tokenizer_class", "PreTrainedTokenizerFast"), ("clean_up_tokenization_spaces", false),
        ])
        for (key, token) in [
            ("bos_token", roles.bos), ("eos_token", roles.eos), ("pad_token", roles.pad), ("unk_token", roles.unk),
        ] {
            if let token { config[key] = .string(token) }
        }
        configuration = .object(config)
    }

    /// Adds special tokens behind the vocabulary; those that are there already stay as they are.
    ///
    /// - Returns: the ids of all of them, in the order given.
    @discardableResult
    public mutating func addSpecialTokens(_ tokens: [String]) throws -> [Int32] {
        let loaded = try makeTokenizer()
        var next = loaded.vocabularySize
        var list = tokenizer["added_tokens"]?.array ?? []
        var ids: [Int32] = []
        for token in tokens {
            if let id = loaded.id(token) {
                ids.append(id)
            } else {
                list.append(Self.addedToken(token, id: next))
                ids.append(Int32(next))
                next += 1
            }
        }
        guard var object = tokenizer.object else { throw TokenizerProblem(source, "", "expected an object") }
        object["added_tokens"] = .array(list)
        tokenizer = .object(object)
        return ids
    }

    /// The tokenizer that the files describe.
    public func makeTokenizer() throws -> Tokenizer {
        try Tokenizer(
            json: tokenizer, source: source,
            configuration: try TokenizerConfiguration(configuration, source: "tokenizer_config.json"))
    }

    /// Adds both files to those of a folder.
    public func write(to folder: inout AtomicFiles) throws {
        try folder.write(configuration.serialized(pretty: true) + "\n", to: "tokenizer_config.json")
        try folder.write(tokenizer.serialized(pretty: true) + "\n", to: "tokenizer.json")
    }

    static func addedToken(_ token: String, id: Int) -> JSON {
        [
            "id": .int(id), "content": .string(token), "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        ]
    }

    private static func beginning(_ token: String, id: Int) -> JSON {
        let special: JSON = ["SpecialToken": ["id": .string(token), "type_id": 0]]
        let first: JSON = ["Sequence": ["id": "A", "type_id": 0]]
        let second: JSON = ["Sequence": ["id": "B", "type_id": 1]]
        let entry: JSON = ["id": .string(token), "ids": [.int(id)], "tokens": [.string(token)]]
        return [
            "type": "TemplateProcessing", "single": [special, first], "pair": [special, first, special, second],
            "special_tokens": .object(JSONObject([(token, entry)])),
        ]
    }
}
