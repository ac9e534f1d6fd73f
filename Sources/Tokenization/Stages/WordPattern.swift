/// The split patterns of GPT-2, of GPT-4 and Llama 3, and of Qwen2, written out by hand.
///
/// They are nearly all that byte-level tokenizers use, and the loop over words is half of encoding; other patterns go
/// through `RegularExpression`. Every character belongs to a match, so a text is just cut.
enum WordPattern: Sendable {
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
    case gpt2
    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
    /// with at most `digits` numbers a word (3 for Llama 3, 1 for Qwen2).
    case gpt4(digits: Int)

    static let gpt2Source = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    /// The hand-written matcher of a pattern string, nil when there is none.
    static func known(_ source: String) -> WordPattern? {
        if source == gpt2Source || source == #"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
        {
            return .gpt2
        }
        for contraction in ["(?i:'s|'t|'re|'ve|'m|'ll|'d)", "'(?i:[sdmt]|ll|ve|re)"] {
            for (numbers, digits) in [(#"\p{N}{1,3}"#, 3), (#"\p{N}"#, 1)] {
                let rest =
                    #"|[^\r\n\p{L}\p{N}]?\p{L}+|"# + numbers
                    + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
                if source == contraction + rest { return .gpt4(digits: digits) }
            }
        }
        return nil
    }

    /// Cuts a piece into words.
    func split(_ bytes: UnsafeBufferPointer<UInt8>, _ piece: Range<Int>, into result: inout [Range<Int>]) {
        let scanner = WordScanner(bytes: UnsafeBufferPointer(rebasing: bytes[..<piece.upperBound]))
        var start = piece.lowerBound
        switch self {
        case .gpt2:
            while start < piece.upperBound {
                let end = scanner.gpt2Word(from: start)
                result.append(start..<end)
                start = end
            }
        case .gpt4(let digits):
            while start < piece.upperBound {
                let end = scanner.gpt4Word(from: start, digits: digits)
                result.append(start..<end)
                start = end
            }
        }
    }
}
