import Basics

/// Numbers as people read them.
enum Formatting {
    /// 1234567 → "1,234,567".
    static func count(_ value: Int) -> String { value.grouped }

    /// The whole part of a number, likewise; as it is where 64 bits do not hold it.
    static func count(_ value: Double) -> String { Int(exactly: value.rounded(.towardZero))?.grouped ?? "\(value)" }

    /// A number with a fixed number of decimals.
    static func decimal(_ value: Double, _ places: Int) -> String {
        guard value.isFinite else { return "\(value)" }
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        let rounded = (abs(value) * scale).rounded()
        guard rounded < 1e15 else { return "\(value)" }
        let whole = Int(rounded)
        let sign = value < 0 && whole != 0 ? "-" : ""
        guard places > 0 else { return sign + String(whole) }
        let fraction = String(whole % Int(scale))
        return sign + String(whole / Int(scale)) + "." + String(repeating: "0", count: places - fraction.count)
            + fraction
    }

    /// Three significant digits or so: 1.2e-05, 0.00123, 12.3.
    static func short(_ value: Double) -> String {
        if value == 0 { return "0" }
        let size = abs(value)
        if size >= 100 { return decimal(value, 0) }
        if size >= 10 { return decimal(value, 1) }
        if size >= 0.1 { return decimal(value, 3) }
        var exponent = 0
        var mantissa = value
        while abs(mantissa) < 0.9995 {
            mantissa *= 10
            exponent -= 1
        }
        return "\(decimal(mantissa, 2))e\(exponent)"
    }

    /// 75 s → "1m15s".
    static func duration(_ seconds: Double) -> String {
        guard seconds >= 0, seconds < 1e12 else { return "?" }
        if seconds < 10 { return decimal(seconds, 1) + "s" }
        let total = Int(seconds.rounded())
        if total < 60 { return "\(total)s" }
        if total < 3_600 { return "\(total / 60)m\(padded(total % 60))s" }
        return "\(total / 3_600)h\(padded(total / 60 % 60))m"
    }

    /// What a base of codes takes; nil without one.
    static func coded(_ base: (weights: Int, bytes: Int)) -> String? {
        guard base.weights > 0 else { return nil }
        let share = decimal(Double(base.bytes) / Double(base.weights), 3)
        return "quantised base: \(count(base.weights)) weights in \(bytes(base.bytes)), \(share) bytes each"
    }

    /// Bytes in units of 1024.
    static func bytes(_ count: Int) -> String {
        var value = Double(count)
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if value < 1_024 { return (unit == "B" ? decimal(value, 0) : decimal(value, 1)) + " " + unit }
            value /= 1_024
        }
        return decimal(value, 1) + " TiB"
    }

    private static func padded(_ value: Int) -> String { value < 10 ? "0\(value)" : String(value) }
}
