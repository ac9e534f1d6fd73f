import Basics

/// The unigram language model: of all ways to cut a piece into tokens the one with the best sum of scores.
///
/// Kudo, "Subword Regularization", 2018; the search follows `models/unigram/model.rs` of the `tokenizers` library.
struct UnigramModel: Sendable {
    private let scores: [Double]
    private let trie: PrefixTrie
    private let unknown: Int32?
    private let unknownScore: Double
    /// Ids of `<0x00>` to `<0xFF>`, empty without byte fallback.
    private let byteFallback: [Int32]

    /// How much worse than the worst token an unknown character is.
    private static let unknownPenalty = 10.0

    /// Makes the model; `excluded` tokens are never found in text.
    init(vocabulary: Vocabulary, scores: [Double], unknown: Int32?, byteFallback: Bool, excluded: Set<Int32>) {
        self.scores = scores
        self.unknown = unknown
        unknownScore = (scores.min() ?? 0) - Self.unknownPenalty
        var trie = PrefixTrie(byteCount: vocabulary.tokens.reduce(0) { $0 + ($1?.utf8.count ?? 0) })
        for (id, token) in vocabulary.tokens.enumerated() {
            if let token, !token.isEmpty, !excluded.contains(Int32(id)) { trie.insert(token.utf8, Int32(id)) }
        }
        self.trie = trie
        self.byteFallback = byteFallback ? BPEModel.byteTokens(vocabulary) : []
    }

    /// Reads `vocab`, a list of tokens and scores.
    static func vocabulary(_ reader: StageReader) throws -> (vocabulary: Vocabulary, scores: [Double]) {
        var vocabulary = Vocabulary()
        var scores: [Double] = []
        for (index, entry) in try reader.array("vocab").enumerated() {
            guard let pair = entry.array, pair.count == 2, let token = pair[0].string, let score = pair[1].double else {
                throw reader.failure("vocab[\(index)]", "expected a token and its score")
            }
            guard score.isFinite else { throw reader.failure("vocab[\(index)]", "the score is not finite") }
            vocabulary.insert(token, Int32(index))
            scores.append(score)
        }
        return (vocabulary, scores)
    }

    /// The best way to reach an index.
    private struct Node {
        var score = 0.0
        var start = -1
        var id: Int32 = -1
    }

    /// Appends the ids of one piece.
    func encode(_ piece: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, to ids: inout [Int32]) {
        guard piece.count <= WordCache.maxLength else { return encodeNew(piece, to: &ids) }
        let key = WordCache.Key(piece)
        if scratch.cache.append(key, to: &ids) { return }
        let start = ids.count
        encodeNew(piece, to: &ids)
        scratch.cache.insert(key, ids[start...])
    }

    private func encodeNew(_ piece: UnsafeBufferPointer<UInt8>, to ids: inout [Int32]) {
        var nodes = [Node](repeating: Node(), count: piece.count + 1)
        var index = 0
        while index < piece.count {
            let length = min(CodePoints.length(piece[index]), piece.count - index)
            let score = nodes[index].score
            var hasSingle = false
            func offer(_ end: Int, _ candidate: Double, _ id: Int32) {
                if nodes[end].start < 0 || candidate > nodes[end].score {
                    nodes[end] = Node(score: candidate, start: index, id: id)
                }
            }
            trie.forEachPrefix(piece, at: index) { count, id in
                offer(index + count, scores[Int(id)] + score, id)
                if count == length { hasSingle = true }
            }
            if !hasSingle { offer(index + length, unknownScore + score, -1) }
            index += length
        }
        appendPath(nodes, piece, to: &ids)
    }

    /// Follows the best path back; neighbouring unknown characters are one unknown token.
    private func appendPath(_ nodes: [Node], _ piece: UnsafeBufferPointer<UInt8>, to ids: inout [Int32]) {
        var cuts: [(range: Range<Int>, id: Int32)] = []
        var end = piece.count
        while end > 0 {
            let node = nodes[end]
            if node.id < 0, let last = cuts.last, last.id < 0 {
                cuts[cuts.count - 1].range = node.start..<last.range.upperBound
            } else {
                cuts.append((node.start..<end, node.id))
            }
            end = node.start
        }
        for cut in cuts.reversed() {
            if cut.id >= 0 {
                ids.append(cut.id)
            } else if !byteFallback.isEmpty, piece[cut.range].allSatisfy({ byteFallback[Int($0)] >= 0 }) {
                for byte in piece[cut.range] { ids.append(byteFallback[Int(byte)]) }
            } else if let unknown {
                ids.append(unknown)
            }
        }
    }
}
