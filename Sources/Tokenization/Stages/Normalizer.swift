/// Rewrites text before it is cut (`normalizer` of `tokenizer.json`).
indirect enum Normalizer: Sendable {
    case sequence([Normalizer])
    case prepend([UInt8])
    case replace(SplitPattern, [UInt8])
    case unicode(UnicodeNormalForm)
    case lowercase
    case strip(left: Bool, right: Bool)

    /// The text after this stage.
    ///
    /// - Parameter position: nothing is put in front of text that continues other text.
    func apply(_ bytes: [UInt8], at position: TextPosition) -> [UInt8] {
        switch self {
        case .sequence(let stages):
            return stages.reduce(bytes) { $1.apply($0, at: position) }
        case .prepend(let prefix):
            return bytes.isEmpty || position == .continuing ? bytes : prefix + bytes
        case .replace(let pattern, let content):
            return Self.replacing(bytes, pattern, content)
        case .unicode(let form):
            return form.apply(bytes)
        case .lowercase:
            if !bytes.contains(where: { $0 >= 0x80 }) { return bytes.map { (65...90).contains($0) ? $0 | 0x20 : $0 } }
            // Scalar by scalar as Rust's `char::to_lowercase`: the final sigma is not special.
            var result: [UInt8] = []
            for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
                result += Array(scalar.properties.lowercaseMapping.utf8)
            }
            return result
        case .strip(let left, let right):
            return Self.stripping(bytes, left: left, right: right)
        }
    }

    private static func replacing(_ bytes: [UInt8], _ pattern: SplitPattern, _ content: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + bytes.count / 2)
        bytes.withUnsafeBufferPointer { buffer in
            if case .literal(let text) = pattern, text.count == 1 {
                // A single byte, mostly the space: the common case of SentencePiece models.
                for byte in buffer {
                    if byte == text[0] { result += content } else { result.append(byte) }
                }
                return
            }
            var open = 0
            pattern.forEachMatch(buffer) { match in
                result.append(contentsOf: buffer[open..<match.lowerBound])
                result += content
                open = match.upperBound
            }
            result.append(contentsOf: buffer[open...])
        }
        return result
    }

    private static func stripping(_ bytes: [UInt8], left: Bool, right: Bool) -> [UInt8] {
        var scalars = Substring(decoding: bytes, as: UTF8.self).unicodeScalars
        if left { while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() } }
        if right { while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() } }
        return Array(Substring(scalars).utf8)
    }
}
