#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The filter `round` as Jinja2 has it: Python's `round`, or its `math.ceil` and `math.floor` of a multiple.
enum Rounding {
    /// - Throws: where `method` is none of `common`, `ceil` and `floor`.
    static func round(_ value: Value, _ call: Interpreter.Call) throws -> Value {
        guard let number = value.asNumber else { throw Failure("round needs a number") }
        let digits = max(-300, min(call.argument(0, "precision")?.asInteger ?? 0, 300))
        let method = call.argument(1, "method")?.text ?? "common"
        guard ["common", "ceil", "floor"].contains(method) else {
            throw Failure("round knows common, ceil and floor, and no \"\(method)\"")
        }
        guard number.isFinite else { return value }
        guard method == "common" else {
            let scale = pow(10, Double(digits))
            let multiple = number * scale
            guard multiple.isFinite else { return .number(number) }
            return .number(multiple.rounded(method == "ceil" ? .up : .down) / scale)
        }
        // A whole number stays one.
        var whole = value.asInteger
        if case .number = value { whole = nil }
        if let whole, digits >= 0 { return .integer(whole) }
        let rounded = digits < 0 ? rounded(number, to: pow(10, Double(-digits))) : decimal(number, digits)
        if whole != nil, let integer = Int(exactly: rounded) { return .integer(integer) }
        return .number(rounded)
    }

    private static func rounded(_ number: Double, to unit: Double) -> Double {
        (number / unit).rounded(.toNearestOrEven) * unit
    }

    /// The nearest decimal of so many places to what the binary number is: 1.115 is a little less and becomes 1.11.
    private static func decimal(_ number: Double, _ digits: Int) -> Double {
        var text = [CChar](repeating: 0, count: 640)
        let count = withVaList([Int32(digits), number]) { vsnprintf(&text, text.count, "%.*f", $0) }
        guard count > 0, count < text.count else { return number }
        return Double(String(decoding: text[..<Int(count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)) ?? number
    }
}
