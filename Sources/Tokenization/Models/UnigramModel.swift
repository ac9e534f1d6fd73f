import Basics

/// The unigram language model: of all ways to cut a piece into tokens the one with the best sum of scores.
///
/// Kudo, "Subword Regularization", 2018; the search follows `models/unigram/model.rs` of the `tokenizers` library.
package struct UnigramModel: Sendable {
    private let scores: [Double]
    private let trie: PrefixTrie
    private let unknown: Int32?
    private let unknownScore: Double
    /// Ids of `<0x00>` to `<0xFF>`, empty without byte fallback.
    private let byteFallback: [Int32]
    private let roundsSums: Bool

    /// How much worse than the worst token an unknown character is.
    private static let unknownPenalty = 10.0

    /// Makes the model; `excluded` tokens are never found in text.
    ///
    /// - Parameter roundsSums: whether sums of scores are kept in single precision, as SentencePiece does: it decides between ways
    ///   to cut that are equally good but for rounding.
    init(
        vocabulary: Vocabulary, scores: [Double], unknown: Int32?, byteFallback: Bool, excluded: Set<Int32>,
        roundsSums: Bool = false
    ) {
        self.scores = scores
        self.unknown = unknown
        self.roundsSums = roundsSums
        let worst = (scores.min() ?? 0) - Self.unknownPenalty
        unknownScore = roundsSums ? Double(Float(worst)) : worst
        var tokens: [(String, Int32)] = []
        for (id, token) in vocabulary.tokens.enumerated() {
            if let token, !excluded.contains(Int32(id)) { tokens.append((token, Int32(id))) }
        }
        trie = PrefixTrie(tokens)
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
            scores.append(Self.asTheLibraryReads(score))
        }
        return (vocabulary, scores)
    }

    /// A number of the file as the `tokenizers` library reads it: the decimal digits as one whole number, divided by a power of ten
    /// (`serde_json` without `float_roundtrip`), which may differ in the last bit and decides between equally good cuts.
    package static func asTheLibraryReads(_ value: Double) -> Double {
        var digits: UInt64 = 0
        var exponent = 0
        var isBehindPoint = false
        let parts = value.magnitude.description.split(separator: "e")
        for character in parts[0].utf8 {
            guard character != 0x2E else {
                isBehindPoint = true
                continue
            }
            digits = digits &* 10 &+ UInt64(character &- 0x30)  // at most 17 digits
            if isBehindPoint { exponent -= 1 }
        }
        // Swift writes a ".0" that files may lack; it changes neither digits nor quotient.
        if parts.count > 1 { exponent += Int(parts[1]) ?? 0 }
        guard exponent.magnitude < Self.powersOfTen.count else { return value }
        let power = Self.powersOfTen[Int(exponent.magnitude)]
        let result = exponent < 0 ? Double(digits) / power : Double(digits) * power
        return value < 0 ? -result : result
    }

    private static let powersOfTen: [Double] = (0...300).map { Double("1e\($0)") ?? 1 }

    /// The best way to reach an index.
    struct Node {
        var score = 0.0
        var start: Int32 = -1
        var id: Int32 = -1
    }

    /// Appends the ids of one piece.
    func encode(_ piece: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, to ids: inout [Int32]) {
        guard piece.count <= WordCache.maxLength else { return encodeNew(piece, scratch, to: &ids) }
        let key = WordCache.Key(piece)
        if scratch.cache.append(key, to: &ids) { return }
        let start = ids.count
        encodeNew(piece, scratch, to: &ids)
        scratch.cache.insert(key, ids[start...])
    }

    private func encodeNew(_ piece: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, to ids: inout [Int32]) {
        guard piece.count < Int32.max else { return }
        scratch.nodes.removeAll(keepingCapacity: true)
        scratch.nodes.append(contentsOf: repeatElement(Node(), count: piece.count + 1))
        scratch.nodes.withUnsafeMutableBufferPointer { nodes in
            trie.units.withUnsafeBufferPointer { units in
                scores.withUnsafeBufferPointer { scores in
                    search(
                        piece, nodes.baseAddress.unsafelyUnwrapped, units.baseAddress.unsafelyUnwrapped,
                        scores.baseAddress.unsafelyUnwrapped)
                }
            }
        }
        appendPath(piece, scratch, to: &ids)
    }

    /// The best node of every index (Viterbi), each reached from characters before it.
    private func search(
        _ piece: UnsafeBufferPointer<UInt8>, _ nodes: UnsafeMutablePointer<Node>,
        _ units: UnsafePointer<PrefixTrie.Unit>, _ scores: UnsafePointer<Double>
    ) {
        let (count, rounds) = (piece.count, roundsSums)
        let bytes = piece.baseAddress.unsafelyUnwrapped
        var index = 0
        while index < count {
            let length = min(CodePoints.length(bytes[index]), count - index)
            let before = nodes[index].score
            var hasSingle = false
            var place = 0
            var end = index
            while end < count {
                let next = Int(units[place].base) + Int(bytes[end])
                guard Int(units[next].parent) == place else { break }
                place = next
                end += 1
                let id = units[place].token
                guard id >= 0 else { continue }
                var score = scores[Int(id)] + before
                if rounds { score = Double(Float(score)) }
                if nodes[end].start < 0 || score > nodes[end].score {
                    nodes[end] = Node(score: score, start: Int32(index), id: id)
                }
                if end - index == length { hasSingle = true }
            }
            if !hasSingle {
                var score = unknownScore + before
                if rounds { score = Double(Float(score)) }
                if nodes[index + length].start < 0 || score > nodes[index + length].score {
                    nodes[index + length] = Node(score: score, start: Int32(index), id: -1)
                }
            }
            index += length
        }
    }

    /// Follows the best path back; neighbouring unknown characters are one unknown token.
    private func appendPath(_ piece: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, to ids: inout [Int32]) {
        // Ends of the path's tokens, last first.
        var ends = scratch.next
        ends.removeAll(keepingCapacity: true)
        var end = piece.count
        while end > 0 {
            ends.append(Int32(end))
            end = Int(scratch.nodes[end].start)
        }
        var isUnknown = false
        for end in ends.reversed() {
            let node = scratch.nodes[Int(end)]
            let range = Int(node.start)..<Int(end)
            if node.id >= 0 {
                ids.append(node.id)
                isUnknown = false
            } else if !byteFallback.isEmpty, piece[range].allSatisfy({ byteFallback[Int($0)] >= 0 }) {
                for byte in piece[range] { ids.append(byteFallback[Int(byte)]) }
                isUnknown = false
            } else if let unknown {
                if !isUnknown { ids.append(unknown) }
                isUnknown = true
            }
        }
        scratch.next = ends
    }
}
