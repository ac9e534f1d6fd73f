/// Text to token ids and back, as described by a Hugging Face `tokenizer.json` and `tokenizer_config.json`.
///
/// Text goes through added tokens, normalizer, pre-tokenizer, model and post-processor; ids come back through the
/// decoder. Each stage is a file of its own under `Stages` and `Models`. Instances are immutable and may be used from any
/// number of threads at once.
public final class Tokenizer: Sendable {
    let vocabulary: Vocabulary
    let addedTokens: AddedTokens
    let normalizer: Normalizer?
    let preTokenizer: PreTokenizer?
    let model: TokenModel
    let postProcessor: PostProcessor
    let decoder: TokenDecoder?
    let scratch = EncodingScratch.Pool()

    /// The tokens with a role, and other settings of `tokenizer_config.json`.
    public let configuration: TokenizerConfiguration

    init(
        vocabulary: Vocabulary, addedTokens: AddedTokens, normalizer: Normalizer?, preTokenizer: PreTokenizer?,
        model: TokenModel, postProcessor: PostProcessor, decoder: TokenDecoder?, configuration: TokenizerConfiguration
    ) {
        self.vocabulary = vocabulary
        self.addedTokens = addedTokens
        self.normalizer = normalizer
        self.preTokenizer = preTokenizer
        self.model = model
        self.postProcessor = postProcessor
        self.decoder = decoder
        self.configuration = configuration
    }

    /// Number of ids: the largest one plus one, added tokens included.
    public var vocabularySize: Int { vocabulary.count }

    /// The token with an id, as the files spell it (byte-level tokens in GPT-2's alphabet); nil for an unused id.
    public func token(_ id: Int32) -> String? { vocabulary.token(id) }

    /// The id of a token as the files spell it.
    public func id(_ token: String) -> Int32? { vocabulary.ids[token] }

    /// Whether the id is of a special token, which decoding can leave out.
    public func isSpecial(_ id: Int32) -> Bool { addedTokens.specialIDs.contains(id) }

    /// The special tokens' ids, ascending.
    public var specialIDs: [Int32] { addedTokens.specialIDs.sorted() }

    /// The beginning-of-text token, for example `<s>`.
    public var bosToken: String? { configuration.bosToken }
    /// The end-of-text token, for example `</s>` or `<|im_end|>`.
    public var eosToken: String? { configuration.eosToken }

    /// The id of the beginning-of-text token.
    public var bosID: Int32? { configuration.bosToken.flatMap(id) }
    /// The id of the end-of-text token.
    public var eosID: Int32? { configuration.eosToken.flatMap(id) }
    /// The id of the padding token.
    public var padID: Int32? { configuration.padToken.flatMap(id) }
    /// The id of the unknown token.
    public var unkID: Int32? { configuration.unkToken.flatMap(id) }

    /// The ids that ``encode(_:addSpecialTokens:allowSpecial:)`` puts in front of a text when asked for special tokens.
    public var prefixIDs: [Int32] { postProcessor.prefix }

    func id(of token: TemplateSegment.SpecialToken) -> Int32? {
        switch token {
        case .beginning: bosID
        case .end: eosID
        case .named(let name): id(name)
        }
    }
}
