/// A text on its way through the pre-tokenizer: bytes and the pieces of them that are still of interest.
struct PieceList {
    /// Valid UTF-8.
    var bytes: [UInt8] = []
    /// Ascending, disjoint, on character boundaries; none is empty.
    var pieces: [Range<Int>] = []

    /// Replaces each piece by what `split` finds in it.
    mutating func splitEach(
        _ split: (UnsafeBufferPointer<UInt8>, Range<Int>, inout [Range<Int>]) -> Void
    ) {
        var result: [Range<Int>] = []
        result.reserveCapacity(pieces.count * 2)
        bytes.withUnsafeBufferPointer { buffer in
            for piece in pieces { split(buffer, piece, &result) }
        }
        pieces = result
    }

    /// Replaces each piece's bytes by what `rewrite` appends for it, as one piece.
    mutating func rewriteEach(_ rewrite: (Int, UnsafeBufferPointer<UInt8>, Range<Int>, inout [UInt8]) -> Void) {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + bytes.count / 2 + 8)
        var ranges: [Range<Int>] = []
        ranges.reserveCapacity(pieces.count)
        bytes.withUnsafeBufferPointer { buffer in
            for (index, piece) in pieces.enumerated() {
                let start = output.count
                rewrite(index, buffer, piece, &output)
                if output.count > start { ranges.append(start..<output.count) }
            }
        }
        bytes = output
        pieces = ranges
    }
}
