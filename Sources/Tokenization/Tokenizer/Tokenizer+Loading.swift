import Basics

extension Tokenizer {
    /// Loads the tokenizer of a model folder.
    ///
    /// - Parameter folder: a folder with `tokenizer.json`, usually beside `tokenizer_config.json`.
    /// - Throws: `TokenizerProblem` naming the file and the place in it, or a file or JSON error.
    public convenience init(folder: String) throws {
        let path = Paths.join(folder, "tokenizer.json")
        guard Files.exists(path) else {
            throw TokenizerProblem(
                folder, "", "has no tokenizer.json", fix: "give the folder of a model, or of `vitrail tokenizer train`")
        }
        var configuration = TokenizerConfiguration()
        var extra: [AddedToken] = []
        let configPath = Paths.join(folder, "tokenizer_config.json")
        if Files.exists(configPath) {
            let json = try JSON.read(configPath)
            configuration = try TokenizerConfiguration(json, source: configPath)
            extra = try Self.addedTokensDecoder(json, source: configPath)
        }
        let mapPath = Paths.join(folder, "special_tokens_map.json")
        if Files.exists(mapPath) { try configuration.complete(from: try JSON.read(mapPath), source: mapPath) }
        let templatePath = Paths.join(folder, "chat_template.jinja")
        if Files.exists(templatePath) { configuration.chatTemplates["default"] = try Files.readText(templatePath) }
        try self.init(json: try JSON.read(path), source: path, configuration: configuration, extraTokens: extra)
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
        var vocabulary: Vocabulary
        let model: TokenModel
        let type = try TokenModel.type(modelReader)
        switch type {
        case "BPE":
            vocabulary = try Vocabulary(modelReader, "vocab")
            let byteStage = preTokenizer?.leavingBytes()
            if let byteStage, byteStage.isByteLevel { preTokenizer = byteStage.stage }
            model = .bpe(
                try BPEModel(modelReader, vocabulary: vocabulary, usesBytes: byteStage?.isByteLevel ?? false))
        default:
            throw modelReader.unsupported(type, "model")
        }
        var added = try AddedTokens.read(reader)
        added += extraTokens.filter { extra in !added.contains { $0.id == extra.id || $0.content == extra.content } }
        for token in added {
            if let other = vocabulary.token(token.id), other != token.content {
                throw reader.failure(
                    "added_tokens", "\"\(token.content)\" has the id \(token.id) of \"\(other)\"",
                    fix: "the file is damaged: get it again")
            }
            vocabulary.insert(token.content, token.id)
        }
        self.init(
            vocabulary: vocabulary, addedTokens: AddedTokens(added, normalizer: normalizer), normalizer: normalizer,
            preTokenizer: preTokenizer, model: model,
            postProcessor: try reader.reader("post_processor").map { try PostProcessor($0) } ?? PostProcessor(),
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
