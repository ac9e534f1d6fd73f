import Basics

extension Tokenizer {
    /// Loads the tokenizer of a model folder.
    ///
    /// - Parameter folder: a folder with `tokenizer.json` or else a SentencePiece `tokenizer.model`, usually beside
    ///   `tokenizer_config.json`.
    /// - Throws: `TokenizerProblem` naming the file and the place in it, or a file or JSON error.
    public convenience init(folder: String) throws {
        try self.init(folder: folder, adding: [], chatTemplate: nil)
    }

    /// Loads the tokenizer of a model folder with special tokens behind its vocabulary, for those of `tokens` that it lacks.
    ///
    /// - Parameter chatTemplate: a template for folders that bring none.
    /// - Returns: the tokenizer, and the tokens that were added with their ids.
    /// - Throws: as ``init(folder:)``.
    public static func open(
        _ folder: String, adding tokens: [String], chatTemplate: String? = nil
    ) throws -> (tokenizer: Tokenizer, added: [(token: String, id: Int32)]) {
        let plain = try Tokenizer(folder: folder)
        let missing = tokens.filter { plain.id($0) == nil }
        let needsTemplate = chatTemplate != nil && plain.configuration.chatTemplates["default"] == nil
        guard !missing.isEmpty || needsTemplate else { return (plain, []) }
        let added = missing.enumerated().map { index, token in
            AddedToken(id: Int32(plain.vocabularySize + index), content: token, isSpecial: true)
        }
        let tokenizer = try Tokenizer(folder: folder, adding: added, chatTemplate: chatTemplate)
        return (tokenizer, added.map { ($0.content, $0.id) })
    }

    private convenience init(folder: String, adding tokens: [AddedToken], chatTemplate: String?) throws {
        var configuration = TokenizerConfiguration()
        var extra: [AddedToken] = tokens
        var settings = JSON.null
        let configPath = Paths.join(folder, "tokenizer_config.json")
        if Files.exists(configPath) {
            settings = try JSON.read(configPath)
            configuration = try TokenizerConfiguration(settings, source: configPath)
            extra += try Self.addedTokensDecoder(settings, source: configPath)
        }
        let mapPath = Paths.join(folder, "special_tokens_map.json")
        if Files.exists(mapPath) { try configuration.complete(from: try JSON.read(mapPath), source: mapPath) }
        let templatePath = Paths.join(folder, "chat_template.jinja")
        if Files.exists(templatePath) { configuration.chatTemplates["default"] = try Files.readText(templatePath) }
        for name in ["chat_template.json", "processor_config.json"] {
            let path = Paths.join(folder, name)
            guard configuration.chatTemplates["default"] == nil, Files.exists(path) else { continue }
            configuration.chatTemplates["default"] = try JSON.read(path)["chat_template"]?.string
        }
        if let chatTemplate, configuration.chatTemplates["default"] == nil {
            configuration.chatTemplates["default"] = chatTemplate
        }

        let path = Paths.join(folder, "tokenizer.json")
        let modelPath = Paths.join(folder, "tokenizer.model")
        if Files.exists(path) {
            try self.init(json: try JSON.read(path), source: path, configuration: configuration, extraTokens: extra)
        } else if Files.exists(modelPath) {
            let file = try SentencePieceFile(try Files.read(modelPath), source: modelPath)
            try self.init(
                sentencePiece: file, source: modelPath, configuration: configuration, settings: settings,
                extraTokens: extra)
        } else {
            throw TokenizerProblem(
                folder, "",
                Files.isDirectory(folder) ? "has neither tokenizer.json nor tokenizer.model" : "no such folder",
                fix: "give the folder of a model, or of `vitrail tokenizer train`")
        }
    }

    /// Makes a tokenizer from the text of a `tokenizer.json`.
    package convenience init(json text: String, configuration: TokenizerConfiguration = TokenizerConfiguration()) throws
    {
        try self.init(
            json: try JSON.parse(text, source: "tokenizer.json"), source: "tokenizer.json", configuration: configuration
        )
    }

    /// Makes the tokenizer that a parsed `tokenizer.json` describes.
    convenience init(
        json: JSON, source: String, configuration: TokenizerConfiguration, extraTokens: [AddedToken] = []
    ) throws {
        let reader = try StageReader(json, source: source, place: "")
        guard let modelReader = try reader.reader("model") else { throw reader.failure("model", "is missing") }
        let normalizer = try reader.reader("normalizer").map(Normalizer.init)
        var preTokenizer = try reader.reader("pre_tokenizer").map(PreTokenizer.init)
        let byteStage = preTokenizer?.leavingBytes()
        let isByteLevel = try byteStage?.isByteLevel == true && (TokenModel.type(modelReader)) == "BPE"
        if isByteLevel { preTokenizer = byteStage?.stage }
        var added = try AddedTokens.read(reader)
        added += extraTokens.filter { extra in !added.contains { $0.id == extra.id || $0.content == extra.content } }
        let special = Set(added.filter(\.isSpecial).map(\.id))
        let (model, base) = try TokenModel.read(modelReader, usesBytes: isByteLevel, special: special)
        let vocabulary = try base.adding(added, source: source)
        let around = try reader.reader("post_processor").map { try PostProcessor($0) } ?? PostProcessor()
        if let id = (around.prefix + around.suffix).first(where: { vocabulary.token($0) == nil }) {
            throw reader.failure("post_processor", "the id \(id) is not in the vocabulary")
        }
        self.init(
            vocabulary: vocabulary, addedTokens: AddedTokens(added, normalizer: normalizer), normalizer: normalizer,
            preTokenizer: preTokenizer, model: model, postProcessor: around,
            decoder: try reader.reader("decoder").map(TokenDecoder.init), configuration: configuration)
    }

    /// Tokens that only `tokenizer_config.json` lists.
    private static func addedTokensDecoder(_ json: JSON, source: String) throws -> [AddedToken] {
        let reader = try StageReader(json, source: source, place: "")
        guard let entries = try reader.reader("added_tokens_decoder") else { return [] }
        return try entries.object.keys.compactMap { key in
            guard let id = Int32(key), (0...Int32(Vocabulary.largestID)).contains(id) else {
                throw entries.failure(key, "is no token id")
            }
            return try entries.reader(key).map { try AddedToken($0, id: id) }
        }
    }
}
