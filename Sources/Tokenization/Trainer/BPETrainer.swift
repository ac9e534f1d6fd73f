import Basics

/// Learns a byte-level byte-pair vocabulary from text.
///
/// The result is the one of `BpeTrainer` of the `tokenizers` library on the same texts, ties included (Sennrich et al.,
/// "Neural Machine Translation of Rare Words with Subword Units", 2016): the most frequent pair is merged first, of
/// equally frequent pairs the one with the smaller ids.
public struct BPETrainer: Sendable {
    /// How text is cut into words, across which no merge goes.
    public enum Splitting: String, Sendable, CaseIterable {
        /// GPT-2's pattern: digits stay together.
        case gpt2
        /// Llama 3's pattern: at most three digits a word.
        case llama3
        /// Qwen2's pattern: each digit is a word.
        case qwen2
    }

    /// Number of tokens to learn, special tokens and the 256 bytes included.
    public var vocabularySize: Int
    /// Pairs that are rarer are not merged.
    public var minFrequency: Int
    /// Tokens that get the first ids, in this order.
    public var specialTokens: [String]
    /// How text is cut into words.
    public var splitting: Splitting

    private var wordCounts: [[UInt8]: Int] = [:]

    /// Makes a trainer without text.
    public init(
        vocabularySize: Int, minFrequency: Int = 2, specialTokens: [String] = [], splitting: Splitting = .gpt2
    ) {
        self.vocabularySize = vocabularySize
        self.minFrequency = minFrequency
        self.specialTokens = specialTokens
        self.splitting = splitting
    }

    /// Counts the words of one text.
    public mutating func add(_ text: String) {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty else { return }
        var words: [Range<Int>] = []
        bytes.withUnsafeBufferPointer { splitting.pattern.split($0, 0..<bytes.count, into: &words) }
        for word in words { wordCounts[Array(bytes[word]), default: 0] += 1 }
    }

    /// Counts the words of a text file, line by line with their line ends.
    ///
    /// - Throws: a file error, or when the file is not UTF-8.
    public mutating func add(file path: String) throws {
        let text = try Files.readText(path)
        let bytes = Array(text.utf8)
        var start = 0
        while start < bytes.count {
            let end = (bytes[start...].firstIndex(of: 10) ?? bytes.count - 1) + 1
            add(String(decoding: bytes[start..<end], as: UTF8.self))
            start = end
        }
    }

    /// What was learned.
    struct Result {
        /// Tokens by id, byte-level ones in GPT-2's alphabet.
        var tokens: [String]
        var merges: [(left: String, right: String)]
    }

    /// Learns the merges.
    func train() throws -> Result {
        let least = specialTokens.count + 256
        guard vocabularySize >= least, vocabularySize <= Vocabulary.largestID else {
            throw UserError(
                "a vocabulary of \(vocabularySize) tokens has no room for 256 bytes and \(specialTokens.count) special tokens",
                fix: "ask for at least \(least), and no more than \(Vocabulary.largestID)")
        }
        guard !wordCounts.isEmpty else {
            throw UserError("there is no text to learn a vocabulary from", fix: "give files with text")
        }
        // Bytes get their ids in the order of the characters that stand for them.
        let alphabet = ByteAlphabet.codePoints.indices.sorted {
            ByteAlphabet.codePoints[$0] < ByteAlphabet.codePoints[$1]
        }
        var byteIDs = [Int32](repeating: 0, count: 256)
        for (index, byte) in alphabet.enumerated() { byteIDs[byte] = Int32(specialTokens.count + index) }
        // Sorted, so that nothing depends on the order of a dictionary.
        let words = wordCounts.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        var learner = MergeLearner(
            words: words.map { word in (word.key.map { byteIDs[Int($0)] }, word.value) },
            tokens: specialTokens.map { Array($0.utf8) } + alphabet.map { ByteAlphabet.spelling[$0] })
        learner.learn(upTo: vocabularySize, minFrequency: minFrequency)
        let tokens = learner.tokens.map { String(decoding: $0, as: UTF8.self) }
        return Result(tokens: tokens, merges: learner.merges.map { (tokens[Int($0.0)], tokens[Int($0.1)]) })
    }
}

extension BPETrainer.Splitting {
    var pattern: WordPattern {
        switch self {
        case .gpt2: .gpt2
        case .llama3: .gpt4(digits: 3)
        case .qwen2: .gpt4(digits: 1)
        }
    }

    /// The pre-tokenizer that cuts this way, as `tokenizer.json` writes it.
    var preTokenizer: JSON {
        let byteLevel: (Bool) -> JSON = {
            ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": .bool($0)]
        }
        guard self != .gpt2 else { return byteLevel(true) }
        let digits = self == .llama3 ? #"\p{N}{1,3}"# : #"\p{N}"#
        let pattern =
            #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits
            + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
        let split: JSON = [
            "type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Isolated", "invert": false,
        ]
        return ["type": "Sequence", "pretokenizers": [split, byteLevel(false)]]
    }
}
