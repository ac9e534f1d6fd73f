extension JSONParser {
    /// The number that stands in bytes which were parsed before.
    static func number(_ bytes: UnsafeRawBufferPointer) -> JSON {
        var parser = JSONParser(bytes, source: "", limits: JSONLimits())
        return (try? parser.parseNumber()) ?? .null
    }

    /// Parses a number whose first byte, a digit or a minus, is at `position`.
    mutating func parseNumber() throws(JSONError) -> JSON {
        let start = position
        let negative = bytes[position] == UInt8(ascii: "-")
        if negative { position += 1 }
        var decimal = Decimal()
        let integerDigits = scanDigits(into: &decimal, fraction: false)
        guard integerDigits > 0 else { throw malformed(start, "a digit must follow the minus sign") }
        if integerDigits > 1, bytes[position - integerDigits] == UInt8(ascii: "0") {
            throw malformed(start, "it starts with 0")
        }
        var isInteger = true
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            guard scanDigits(into: &decimal, fraction: true) > 0 else {
                throw malformed(start, "a digit must follow the point")
            }
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            try scanExponent(into: &decimal, from: start)
        }
        if isInteger, let value = decimal.integer(negative: negative) { return .integer(value) }
        let value = try double(decimal, negative: negative, from: start)
        guard isInteger, value != 0 else { return .number(value) }
        return .digits(String(decoding: bytes[start..<position], as: UTF8.self))
    }

    /// The digits seen so far, while they fit 64 bits.
    private struct Decimal {
        var mantissa: UInt64 = 0
        var exponent = 0
        var overflowed = false

        func integer(negative: Bool) -> Int64? {
            if overflowed || negative && mantissa == 0 { return nil }
            return negative
                ? (mantissa <= 1 << 63 ? Int64(bitPattern: 0 &- mantissa) : nil)
                : Int64(exactly: mantissa)
        }
    }

    private mutating func scanDigits(into decimal: inout Decimal, fraction: Bool) -> Int {
        let start = position
        while position < bytes.count, case let digit = bytes[position] &- UInt8(ascii: "0"), digit < 10 {
            let (product, carried) = decimal.mantissa.multipliedReportingOverflow(by: 10)
            let (sum, carriedAgain) = product.addingReportingOverflow(UInt64(digit))
            decimal.overflowed = decimal.overflowed || carried || carriedAgain
            decimal.mantissa = sum
            if fraction { decimal.exponent -= 1 }
            position += 1
        }
        return position - start
    }

    private mutating func scanExponent(into decimal: inout Decimal, from start: Int) throws(JSONError) {
        position += 1
        var negative = false
        if position < bytes.count, bytes[position] == UInt8(ascii: "-") || bytes[position] == UInt8(ascii: "+") {
            negative = bytes[position] == UInt8(ascii: "-")
            position += 1
        }
        var exponent = 0
        let first = position
        while position < bytes.count, case let digit = bytes[position] &- UInt8(ascii: "0"), digit < 10 {
            exponent = min(exponent * 10 + Int(digit), 1 << 30)
            position += 1
        }
        guard position > first else { throw malformed(start, "a digit must follow the exponent sign") }
        decimal.exponent += negative ? -exponent : exponent
    }

    /// The nearest double. Up to 2^53 and 10^22 both factors are exact, so one operation rounds correctly (Clinger,
    /// "How to Read Floating Point Numbers Accurately", 1990); the rest goes through the library's conversion.
    private func double(_ decimal: Decimal, negative: Bool, from start: Int) throws(JSONError) -> Double {
        if !decimal.overflowed, decimal.mantissa <= 1 << 53, abs(decimal.exponent) <= 22 {
            let power = Self.powersOfTen[abs(decimal.exponent)]
            let magnitude =
                decimal.exponent < 0 ? Double(decimal.mantissa) / power : Double(decimal.mantissa) * power
            return negative ? -magnitude : magnitude
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        guard let value = Double(text), value.isFinite else {
            throw failure("the number \(text.prefix(40)) is beyond the range of a double", at: start)
        }
        return value
    }

    private static let powersOfTen: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
        1e19, 1e20, 1e21, 1e22,
    ]

    private func malformed(_ start: Int, _ reason: String) -> JSONError {
        failure("malformed number: \(reason)", at: start)
    }
}
