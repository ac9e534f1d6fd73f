import Basics

/// The bytes of a pickle, read from the front with every bound checked.
struct PickleBytes {
    typealias Fault = PickledList.Fault

    private let bytes: UnsafeRawBufferPointer
    /// Offset of the next byte.
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// A fault of the file itself.
    func damaged(_ what: String, at offset: Int? = nil) -> Fault {
        Fault(
            reason: "byte \(offset ?? position): \(what)",
            fix: "the file looks damaged, or is no pickle: copy or download it again")
    }

    private mutating func take(_ count: Int) throws(Fault) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= bytes.count - position else { throw damaged("the file ends too early") }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }

    mutating func byte() throws(Fault) -> UInt8 { try take(1)[0] }

    /// A number of up to 8 bytes, the lowest first.
    mutating func number(_ size: Int) throws(Fault) -> UInt64 {
        try take(size).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// A length of so many bytes, which the file must still hold.
    mutating func length(_ size: Int) throws(Fault) -> Int {
        let length = try number(size)
        guard length <= UInt64(bytes.count - position) else { throw damaged("the file ends too early") }
        return Int(length)
    }

    /// A whole number in two's complement, the lowest byte first.
    mutating func long(_ size: Int) throws(Fault) -> Int64 {
        guard size <= 8 else { throw damaged("a whole number has more than 64 bits") }
        guard size > 0 else { return 0 }
        let unused = 64 - 8 * size
        return (Int64(bitPattern: try number(size)) << unused) >> unused
    }

    /// UTF-8, or Latin-1 where it is not: Python 2 kept no encoding.
    mutating func text(_ count: Int) throws(Fault) -> String { Self.decoded(Array(try take(count))) }

    private static func decoded(_ bytes: [UInt8]) -> String {
        String(validating: bytes, as: UTF8.self) ?? String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }

    /// The bytes up to a line end, which is passed over.
    private mutating func rawLine() throws(Fault) -> [UInt8] {
        guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) else {
            throw damaged("the file ends too early")
        }
        let line = try take(end - position)
        position += 1
        return line.last == UInt8(ascii: "\r") ? Array(line.dropLast()) : Array(line)
    }

    mutating func line() throws(Fault) -> String { Self.decoded(try rawLine()) }

    /// A text as Python 2 shows it: in quotes, with escapes.
    mutating func quotedLine() throws(Fault) -> String {
        let line = try rawLine()
        guard line.count >= 2, let quote = line.first, quote == line.last, [0x22, 0x27].contains(quote) else {
            throw damaged("a text is not in quotes")
        }
        var text: [UInt8] = []
        var rest = line.dropFirst().dropLast()
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            guard let escape = rest.popFirst() else { throw damaged("a text ends within an escape") }
            switch escape {
            case UInt8(ascii: "n"): text.append(10)
            case UInt8(ascii: "r"): text.append(13)
            case UInt8(ascii: "t"): text.append(9)
            case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): text.append(escape)
            case UInt8(ascii: "x"):
                guard let code = Self.hexadecimal(rest.prefix(2), digits: 2) else {
                    throw damaged("an escape of a text is not \\xNN")
                }
                text.append(UInt8(code))
                rest.removeFirst(2)
            default: throw damaged("a text has an unknown escape")
            }
        }
        return Self.decoded(text)
    }

    /// A text as Python's `raw-unicode-escape`: Latin-1 with `\uXXXX` and `\UXXXXXXXX`, also in two halves.
    mutating func escapedLine() throws(Fault) -> String {
        var units: [UInt16] = []
        var rest = ArraySlice(try rawLine())
        while let byte = rest.popFirst() {
            let digits = rest.first == UInt8(ascii: "u") ? 4 : rest.first == UInt8(ascii: "U") ? 8 : 0
            guard byte == UInt8(ascii: "\\"), digits > 0 else {
                units.append(UInt16(byte))
                continue
            }
            guard let code = Self.hexadecimal(rest.dropFirst().prefix(digits), digits: digits) else {
                throw damaged("an escape of a text is not \\uXXXX")
            }
            rest.removeFirst(1 + digits)
            if let unit = UInt16(exactly: code) {
                units.append(unit)
            } else if let scalar = Unicode.Scalar(code) {
                units += Array(String(scalar).utf16)
            } else {
                throw damaged("an escape of a text is no character")
            }
        }
        return String(decoding: units, as: UTF16.self)
    }

    private static func hexadecimal(_ bytes: ArraySlice<UInt8>, digits: Int) -> UInt32? {
        guard bytes.count == digits, bytes.allSatisfy({ $0 < 0x80 && Unicode.Scalar($0).properties.isASCIIHexDigit })
        else { return nil }
        return UInt32(String(decoding: bytes, as: UTF8.self), radix: 16)
    }
}
