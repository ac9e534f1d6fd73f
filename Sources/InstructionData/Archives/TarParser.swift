import Basics

/// Reads the headers of a tar archive (POSIX ustar, pax, and GNU long names) that lies in memory.
///
/// Follows POSIX.1-2017 `pax` ("ustar Interchange Format", "pax Header Block"). Regular files are listed, and the names
/// of links; folders and devices are passed over.
struct TarParser {
    let bytes: UnsafeRawBufferPointer
    let source: String

    private static let block = 512

    /// All regular files in order, and the names of links.
    /// - Throws: `UserError` naming the archive and the offset of a damaged header.
    func read() throws(UserError) -> (entries: [TarEntry], links: [String]) {
        var entries: [TarEntry] = []
        var links: [String] = []
        var position = 0
        var extended: [String: String] = [:]
        var longName: String?
        while position + Self.block <= bytes.count {
            let header = UnsafeRawBufferPointer(rebasing: bytes[position..<(position + Self.block)])
            if header.allSatisfy({ $0 == 0 }) { return (entries, links) }
            guard checksumHolds(header) else { throw damaged(at: position, "the header's checksum is wrong") }
            guard var size = number(header[124..<136]) else { throw damaged(at: position, "the size is not a number") }
            let kind = header[156]
            if kind != UInt8(ascii: "x"), kind != UInt8(ascii: "g"), let text = extended["size"] {
                guard let value = Int(text), value >= 0 else {
                    throw damaged(at: position, "the pax size is not a number")
                }
                size = value
            }
            let start = position + Self.block
            guard size <= bytes.count - start else {
                throw damaged(at: position, "a member of \(size) bytes goes beyond the end of the archive")
            }
            let content = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + size)])
            switch kind {
            case UInt8(ascii: "x"):
                extended = try paxRecords(content, at: position)
            case UInt8(ascii: "g"):
                break
            case UInt8(ascii: "L"):
                longName = text(content[...])
            case UInt8(ascii: "0"), 0, UInt8(ascii: "7"):
                let name = extended["path"] ?? longName ?? ustarName(header)
                entries.append(TarEntry(name: normalised(name), offset: start, size: size))
                (extended, longName) = ([:], nil)
            case UInt8(ascii: "1"), UInt8(ascii: "2"):
                links.append(normalised(extended["path"] ?? longName ?? ustarName(header)))
                (extended, longName) = ([:], nil)
            default:
                (extended, longName) = ([:], nil)
            }
            let padded = (size + Self.block - 1) / Self.block * Self.block
            position = start + padded
        }
        if position < bytes.count || entries.isEmpty && links.isEmpty {
            throw damaged(at: min(position, bytes.count), "the archive ends inside a header")
        }
        return (entries, links)  // without the two zero blocks: tar itself accepts that
    }

    private func damaged(at offset: Int, _ what: String) -> UserError {
        UserError(
            "\(source): not a readable tar archive: \(what) (offset \(offset))",
            fix: "copy or download the archive again; check it with: tar tf")
    }

    private func checksumHolds(_ header: UnsafeRawBufferPointer) -> Bool {
        guard let stored = number(header[148..<156]) else { return false }
        var sum = 0
        for (index, byte) in header.enumerated() { sum += (148..<156).contains(index) ? 32 : Int(byte) }
        return sum == stored
    }

    /// Octal text, or GNU's base 256 when the first bit is set.
    private func number(_ field: Slice<UnsafeRawBufferPointer>) -> Int? {
        if let first = field.first, first & 0x80 != 0 {
            var value = Int(first & 0x7F)
            for byte in field.dropFirst() {
                let (shifted, overflow) = value.multipliedReportingOverflow(by: 256)
                if overflow || shifted > Int.max - Int(byte) { return nil }
                value = shifted + Int(byte)
            }
            return value
        }
        var value = 0
        var digits = 0
        for byte in field {
            if byte == 0 || byte == 32 {
                if digits > 0 { break }
                continue
            }
            guard (48...55).contains(byte) else { return nil }
            value = value * 8 + Int(byte - 48)
            digits += 1
        }
        return value
    }

    private func text(_ field: Slice<UnsafeRawBufferPointer>) -> String {
        String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
    }

    private func ustarName(_ header: UnsafeRawBufferPointer) -> String {
        let name = text(header[0..<100])
        let isUstar = header[257..<262].elementsEqual("ustar".utf8)
        let prefix = isUstar && header[262] == 0 ? text(header[345..<500]) : ""
        return prefix.isEmpty ? name : prefix + "/" + name
    }

    private func normalised(_ name: String) -> String {
        name.hasPrefix("./") ? String(name.dropFirst(2)) : name
    }

    /// `length key=value\n` records.
    private func paxRecords(
        _ content: UnsafeRawBufferPointer, at offset: Int
    ) throws(UserError) -> [String: String] {
        var result: [String: String] = [:]
        var position = 0
        while position < content.count {
            guard let space = content[position...].firstIndex(of: 32),
                let length = Int(String(decoding: content[position..<space], as: UTF8.self)),
                length > space - position + 1, length <= content.count - position
            else { throw damaged(at: offset, "a pax record is malformed") }
            let record = content[(space + 1)..<(position + length - 1)]
            if let equals = record.firstIndex(of: UInt8(ascii: "=")) {
                let key = String(decoding: content[(space + 1)..<equals], as: UTF8.self)
                result[key] = String(decoding: content[(equals + 1)..<(position + length - 1)], as: UTF8.self)
            }
            position += length
        }
        return result
    }
}
