import Foundation

/// Unicode normalization forms.
enum UnicodeNormalForm: Sendable {
    case composed

    /// The text in this form.
    func apply(_ bytes: [UInt8]) -> [UInt8] {
        // Below U+0300 everything is in NFC already: the first byte that could change it is 0xCC.
        if !bytes.contains(where: { $0 >= 0xCC }) { return bytes }
        return Array(String(decoding: bytes, as: UTF8.self).precomposedStringWithCanonicalMapping.utf8)
    }
}
