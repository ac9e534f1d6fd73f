import Basics

extension TensorFolder {
    /// Pieces of a tensor that are looked at, and their bytes.
    private static let (pieces, pieceBytes) = (16, 1024)

    /// What tells these weights from others without reading all of them: names, types and shapes, and of each tensor up to 16 pieces of
    /// 1 KiB, evenly apart. Training changes nearly every element of what it trains, so that weights which were trained on differ.
    ///
    /// - Returns: a SHA-256; equal for equal weights wherever they lie and however they are divided into files.
    public func mark() throws -> String {
        var hash = SHA256()
        for entry in entries.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }) {
            hash.update(Array("\(entry.name)\0\(entry.element.torchName)\0\(entry.shape)\0".utf8))
            try withBytes(entry.name) { bytes in
                guard bytes.count > Self.pieces * Self.pieceBytes else { return hash.update(bytes) }
                for piece in 0..<Self.pieces {
                    let start = (bytes.count - Self.pieceBytes) * piece / (Self.pieces - 1)
                    hash.update(UnsafeRawBufferPointer(rebasing: bytes[start..<start + Self.pieceBytes]))
                }
            }
        }
        return SHA256.hex(hash.finish())
    }
}
