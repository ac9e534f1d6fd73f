import Basics

/// File names made from picture numbers: `COCO_train2014_{id:012}.jpg` gives 12 digits with leading zeros.
struct ImagePattern {
    private let parts: (before: String, digits: Int, after: String)

    /// - Throws: `UserError` when there is no `{id}` in it.
    init(_ text: String) throws(UserError) {
        guard let open = text.firstIndex(of: "{"), let close = text[open...].firstIndex(of: "}"),
            case let inner = text[text.index(after: open)..<close],
            inner == "id"
                || (inner.hasPrefix("id:") && (Int(inner.dropFirst(3)).map { (1...40).contains($0) } ?? false))
        else {
            throw UserError(
                "image pattern \"\(text)\" has no place for the number",
                fix: "write {id}, or {id:012} for twelve digits with leading zeros")
        }
        let digits = inner == "id" ? 0 : Int(inner.dropFirst(3)) ?? 0
        parts = (String(text[..<open]), digits, String(text[text.index(after: close)...]))
    }

    /// The file name of a number.
    func name(_ number: Int) -> String {
        let digits = String(number)
        return parts.before + String(repeating: "0", count: max(0, parts.digits - digits.utf8.count)) + digits
            + parts.after
    }
}
