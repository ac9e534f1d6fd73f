import Basics

extension Tokenizer {
    /// Makes the tokenizer of a SentencePiece file, with the settings of `tokenizer_config.json`.
    ///
    /// - Parameters:
    ///   - settings: the parsed `tokenizer_config.json`; `legacy` (true when missing) says whether text behind a special
    ///     token gets a space in front, `add_bos_token` and `add_eos_token` what is put around a text.
    ///   - extraTokens: added tokens of other files.
    convenience init(
        sentencePiece file: SentencePieceFile, source: String, configuration: TokenizerConfiguration, settings: JSON,
        extraTokens: [AddedToken]
    ) throws {
        var configuration = configuration
        let (vocabulary, pieces) = try Self.vocabulary(file, source)
        let extra = extraTokens.filter { token in vocabulary.ids[token.content] == nil }
        var added = pieces + extra
        for index in added.indices {
            if let listed = extraTokens.first(where: { $0.content == added[index].content }) { added[index] = listed }
        }
        let unknown = file.pieces.firstIndex { $0.kind == .unknown }
        configuration.bosToken = configuration.bosToken ?? (vocabulary.ids["<s>"] != nil ? "<s>" : nil)
        configuration.eosToken = configuration.eosToken ?? (vocabulary.ids["</s>"] != nil ? "</s>" : nil)
        configuration.unkToken = configuration.unkToken ?? unknown.map { file.pieces[$0].text }
        let model = Self.model(file, vocabulary, unknown: unknown.map(Int32.init))
        let normalizer = try Self.normalizer(file, source, isLegacy: settings["legacy"]?.bool ?? true)
        let grown = try vocabulary.adding(extra, source: source)
        var stripper: [TokenDecoder] = [
            .replace(.literal(Metaspace.blank), [0x20]), .byteFallback, .fuse,
        ]
        if file.addsDummyPrefix { stripper.append(.strip(0x20, start: 1, stop: 0)) }
        var around = PostProcessor()
        let kind = settings["tokenizer_class"]?.string ?? ""
        let addsBeginning = settings["add_bos_token"]?.bool ?? (file.type == .bpe)
        let addsEnd = settings["add_eos_token"]?.bool ?? kind.hasPrefix("T5")
        if addsBeginning, let id = configuration.bosToken.flatMap({ grown.ids[$0] }) { around.prefix = [id] }
        if addsEnd, let id = configuration.eosToken.flatMap({ grown.ids[$0] }) { around.suffix = [id] }
        self.init(
            vocabulary: grown, addedTokens: AddedTokens(added, normalizer: normalizer), normalizer: normalizer,
            preTokenizer: nil, model: model, postProcessor: around, decoder: .sequence(stripper),
            configuration: configuration)
    }

    private static func vocabulary(
        _ file: SentencePieceFile, _ source: String
    ) throws -> (vocabulary: Vocabulary, special: [AddedToken]) {
        var vocabulary = Vocabulary()
        var special: [AddedToken] = []
        for (id, piece) in file.pieces.enumerated() {
            if let other = vocabulary.ids[piece.text] {
                throw TokenizerProblem(
                    source, "pieces", "\(other) and \(id) are both \"\(piece.text)\"", fix: "get the file again")
            }
            guard piece.score.isFinite else {
                throw TokenizerProblem(source, "pieces[\(id)]", "the score is not finite", fix: "get the file again")
            }
            vocabulary.insert(piece.text, Int32(id))
            switch piece.kind {
            case .control, .unknown: special.append(AddedToken(id: Int32(id), content: piece.text, isSpecial: true))
            case .userDefined: special.append(AddedToken(id: Int32(id), content: piece.text, isNormalized: true))
            case .normal, .unused, .byte: continue
            }
        }
        return (vocabulary, special)
    }

    private static func normalizer(
        _ file: SentencePieceFile, _ source: String, isLegacy: Bool
    ) throws -> Normalizer {
        var stages: [Normalizer] = []
        do {
            stages.append(.precompiled(try CharacterMap(file.characterMap, matching: .longest)))
        } catch {
            throw TokenizerProblem(
                source, "normalizer_spec.precompiled_charsmap", error.reason, fix: "get the file again")
        }
        if file.removesExtraSpaces { stages.append(.collapseSpaces) }
        let blank = file.escapesSpaces ? Metaspace.blank : [0x20]
        if file.addsDummyPrefix { stages.append(isLegacy ? .prepend(blank) : .prependAtStart(blank)) }
        if file.escapesSpaces { stages.append(.replace(.literal([0x20]), Metaspace.blank)) }
        return .sequence(stages)
    }

    private static func model(_ file: SentencePieceFile, _ vocabulary: Vocabulary, unknown: Int32?) -> TokenModel {
        guard file.type == .bpe else {
            let usable: Set<SentencePieceFile.Kind> = [.normal]
            let excluded = file.pieces.indices.filter { !usable.contains(file.pieces[$0].kind) }
            return .unigram(
                UnigramModel(
                    vocabulary: vocabulary, scores: file.pieces.map { Double($0.score) }, unknown: unknown,
                    byteFallback: file.usesByteFallback, excluded: Set(excluded.map(Int32.init)), roundsSums: true))
        }
        // A piece may be put together from any two pieces; the better its score the sooner.
        let scores = Set(file.pieces.map(\.score)).sorted(by: >)
        let ranks = Dictionary(uniqueKeysWithValues: scores.enumerated().map { ($1, Int32($0)) })
        var pairs = PairTable(capacity: file.pieces.count * 4)
        var cutsAtBlanks = vocabulary.ids["\u{2581}"] != nil && file.usesByteFallback
        for (id, piece) in file.pieces.enumerated() where piece.kind == .normal {
            let bytes = Array(piece.text.utf8)
            for cut in bytes.indices.dropFirst() where bytes[cut] & 0xC0 != 0x80 {
                guard let left = vocabulary.ids[String(decoding: bytes[..<cut], as: UTF8.self)],
                    let right = vocabulary.ids[String(decoding: bytes[cut...], as: UTF8.self)]
                else { continue }
                pairs.insert(left, right, PairTable.Merge(rank: ranks[piece.score] ?? 0, id: Int32(id)))
            }
            if cutsAtBlanks { cutsAtBlanks = !Metaspace.hasInnerBlank(piece.text) }
        }
        return .bpe(
            BPEModel(
                vocabulary: vocabulary, pairs: pairs, unknown: unknown, byteFallback: file.usesByteFallback,
                cutsAtBlanks: cutsAtBlanks))
    }
}
