/// The four Unicode normalization forms (Unicode Standard Annex 15) over UTF-8 bytes, with the tables of Unicode 9.0 that
/// the `tokenizers` library has: with newer ones a few dozen rare characters would get other ids.
struct UnicodeNormalization: Sendable {
    /// A normalization form.
    enum Form: String, Sendable, CaseIterable {
        case nfc = "NFC"
        case nfd = "NFD"
        case nfkc = "NFKC"
        case nfkd = "NFKD"

        var composes: Bool { self == .nfc || self == .nfkc }
        var isCompatible: Bool { self == .nfkc || self == .nfkd }
    }

    /// The text in a form.
    static func apply(_ form: Form, to bytes: [UInt8]) -> [UInt8] {
        let tables = Tables.shared
        guard bytes.withUnsafeBufferPointer({ tables.mayChange($0, form) }) else { return bytes }
        var codePoints: [UInt32] = []
        codePoints.reserveCapacity(bytes.count)
        bytes.withUnsafeBufferPointer { buffer in
            var index = 0
            while index < buffer.count {
                let (codePoint, length) = CodePoints.decode(buffer, at: index)
                tables.decompose(codePoint, form.isCompatible, into: &codePoints)
                index += length
            }
        }
        tables.order(&codePoints)
        if form.composes { tables.compose(&codePoints) }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for codePoint in codePoints { CodePoints.append(codePoint, to: &result) }
        return result
    }

    /// Whether a character is a combining mark (general category M).
    static func isMark(_ codePoint: UInt32) -> Bool { marks.containsInRuns(codePoint) }
}

extension [UInt32] {
    /// Whether a code point lies in one of the runs whose first and last members the array lists, ascending.
    func containsInRuns(_ codePoint: UInt32) -> Bool {
        var low = 0
        var high = count / 2
        while low < high {
            let middle = (low + high) / 2
            if self[2 * middle + 1] < codePoint { low = middle + 1 } else { high = middle }
        }
        return 2 * low < count && self[2 * low] <= codePoint
    }
}
