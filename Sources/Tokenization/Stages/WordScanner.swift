/// Finds where the word that starts at a byte ends, for the patterns of `WordPattern`.
struct WordScanner {
    /// Valid UTF-8; the text ends where the buffer ends.
    let bytes: UnsafeBufferPointer<UInt8>
    private let classes = CharacterClass.table.bytes

    private static let letter = CharacterClass.letter.rawValue
    private static let number = CharacterClass.number.rawValue
    private static let space = CharacterClass.space.rawValue
    private static let lineBreak = CharacterClass.lineBreak.rawValue

    init(bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    /// The class flags of the character at an index and the number of its bytes; (0, 0) at the end.
    @inline(__always)
    private func peek(_ index: Int) -> (flags: UInt8, length: Int) {
        guard index < bytes.count else { return (0, 0) }
        let first = bytes[index]
        if first < 0x80 { return (classes[Int(first)], 1) }
        let (codePoint, length) = CodePoints.decode(bytes, at: index)
        return (classes[Int(codePoint)], length)
    }

    /// The end of the run of characters that have one of `flags`.
    @inline(__always)
    private func run(of flags: UInt8, from index: Int) -> Int {
        var end = index
        while true {
            let (found, length) = peek(end)
            if length == 0 || found & flags == 0 { return end }
            end += length
        }
    }

    /// The end of the run of characters that have none of `flags`.
    @inline(__always)
    private func run(without flags: UInt8, from index: Int) -> Int {
        var end = index
        while true {
            let (found, length) = peek(end)
            if length == 0 || found & flags != 0 { return end }
            end += length
        }
    }

    /// `\s+(?!\S)|\s+`: white space without its last character when something follows, all of it otherwise.
    @inline(__always)
    private func spaces(from start: Int) -> Int {
        var end = start
        var last = start
        while true {
            let (found, length) = peek(end)
            if length == 0 { return end }
            if found & Self.space == 0 { return last > start ? last : end }
            last = end
            end += length
        }
    }

    func gpt2Word(from start: Int) -> Int {
        if bytes[start] == UInt8(ascii: "'") {
            let end = contraction(after: start + 1, ignoringCase: false)
            if end > 0 { return end }
        }
        var body = start
        var (flags, length) = peek(start)
        if bytes[start] == UInt8(ascii: " ") {
            let (next, nextLength) = peek(start + 1)
            // " ?" takes the space only when a word follows it.
            if nextLength > 0, next & Self.space == 0 {
                body = start + 1
                (flags, length) = (next, nextLength)
            }
        }
        if flags & Self.letter != 0 { return run(of: Self.letter, from: body + length) }
        if flags & Self.number != 0 { return run(of: Self.number, from: body + length) }
        if flags & Self.space == 0 {
            return run(without: Self.space | Self.letter | Self.number, from: body + length)
        }
        return spaces(from: start)
    }

    func gpt4Word(from start: Int, digits: Int) -> Int {
        if bytes[start] == UInt8(ascii: "'") {
            let end = contraction(after: start + 1, ignoringCase: true)
            if end > 0 { return end }
        }
        let (flags, length) = peek(start)
        if flags & Self.letter != 0 { return run(of: Self.letter, from: start + length) }
        if flags & Self.number != 0 {
            var end = start + length
            for _ in 1..<max(digits, 1) {
                let (next, nextLength) = peek(end)
                if nextLength == 0 || next & Self.number == 0 { break }
                end += nextLength
            }
            return end
        }
        let (next, nextLength) = peek(start + length)
        // [^\r\n\p{L}\p{N}]?\p{L}+
        if flags & Self.lineBreak == 0, nextLength > 0, next & Self.letter != 0 {
            return run(of: Self.letter, from: start + length + nextLength)
        }
        // " ?[^\s\p{L}\p{N}]+[\r\n]*"
        let plain = Self.space | Self.letter | Self.number
        if flags & Self.space == 0 {
            return run(of: Self.lineBreak, from: run(without: plain, from: start + length))
        }
        if bytes[start] == UInt8(ascii: " "), nextLength > 0, next & plain == 0 {
            return run(of: Self.lineBreak, from: run(without: plain, from: start + length + nextLength))
        }
        // \s*[\r\n]+: white space up to and with the last line break of the run.
        let end = run(of: Self.space, from: start)
        var breakEnd = end
        while breakEnd > start, bytes[breakEnd - 1] != 10, bytes[breakEnd - 1] != 13 { breakEnd -= 1 }
        if breakEnd > start { return breakEnd }
        return spaces(from: start)
    }

    /// The end of a contraction whose apostrophe ends at `index`, 0 when there is none.
    private func contraction(after index: Int, ignoringCase: Bool) -> Int {
        guard index < bytes.count else { return 0 }
        func folded(_ at: Int) -> UInt8 {
            guard at < bytes.count else { return 0 }
            let byte = bytes[at]
            return ignoringCase && (65...90).contains(byte) ? byte | 0x20 : byte
        }
        let first = folded(index)
        switch first {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return index + 1
        case UInt8(ascii: "r"), UInt8(ascii: "v"): return folded(index + 1) == UInt8(ascii: "e") ? index + 2 : 0
        case UInt8(ascii: "l"): return folded(index + 1) == UInt8(ascii: "l") ? index + 2 : 0
        // U+017F, the long s, folds to s.
        case 0xC5 where ignoringCase: return index + 1 < bytes.count && bytes[index + 1] == 0xBF ? index + 2 : 0
        default: return 0
        }
    }
}
