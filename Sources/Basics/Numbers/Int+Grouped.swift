extension Int {
    /// The number with commas between thousands: 1234567 → "1,234,567".
    package var grouped: String {
        let digits = String(magnitude)
        var result = self < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { result.append(",") }
            result.append(digit)
        }
        return result
    }

    /// So many of what a noun names: 1 → "1 record", 1234 → "1,234 records".
    package func counted(_ noun: String) -> String { grouped + " " + plural(noun) }

    /// The noun for so many: "record" for 1, else "records".
    package func plural(_ noun: String) -> String { magnitude == 1 ? noun : noun + "s" }
}
