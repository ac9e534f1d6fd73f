import Basics

/// Reads the headers of a tar archive (POSIX ustar, pax, and GNU long names) that lies in memory.
///
/// Follows POSIX.1-2017 `pax` ("ustar Interchange Format", "pax Header Block") and GNU tar's manual ("Basic Tar Format",
/// "Storing Sparse Files"). Regular files are listed, links to them, and the names of members that can't be read;
/// folders and devices are passed over, and so are `._*`, in which macOS keeps a file's attributes.
struct TarParser {
    let bytes: UnsafeRawBufferPointer
    let source: String

    private static let block = 512

    /// All that can be read, in order, and the names of what can't.
    /// - Throws: `UserError` naming the archive and the offset of a damaged header.
    func read() throws(UserError) -> TarListing {
        var files: [TarEntry] = []
        var links: [TarListing.Link] = []
        var sparse: [String] = []
        var position = 0
        var next = Announced()
        var isWhole = false
        while position + Self.block <= bytes.count {
            let header = block(at: position)
            isWhole = header.allSatisfy { $0 == 0 }
            if isWhole { break }
            guard checksumHolds(header) else { throw damaged(at: position, "the header's checksum is wrong") }
            guard var size = number(header[124..<136]) else { throw damaged(at: position, "the size is not a number") }
            let kind = header[156]
            if kind != UInt8(ascii: "x"), kind != UInt8(ascii: "g"), let text = next.pax["size"] {
                guard let value = Int(text), value >= 0 else {
                    throw damaged(at: position, "the pax size is not a number")
                }
                size = value
            }
            var start = position + Self.block
            if kind == UInt8(ascii: "S") { start += sparseBlocks(behind: position) * Self.block }
            guard start <= bytes.count, size <= bytes.count - start else {
                throw damaged(at: position, "a member of \(size) bytes goes beyond the end of the archive")
            }
            let content = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + size)])
            position = start + (size + Self.block - 1) / Self.block * Self.block
            switch kind {
            case UInt8(ascii: "x"): next.pax = try paxRecords(content, at: start - Self.block)
            case UInt8(ascii: "L"): next.name = text(content[...])
            case UInt8(ascii: "K"): next.target = text(content[...])
            case UInt8(ascii: "g"): break
            default:
                defer { next = Announced() }
                let name = normalised(next.pax["path"] ?? next.name ?? ustarName(header))
                if Paths.name(name).hasPrefix("._") { break }
                let target = next.pax["linkpath"] ?? next.target ?? text(header[157..<257])
                switch kind {
                case UInt8(ascii: "0"), 0, UInt8(ascii: "7"):
                    if next.pax.keys.contains(where: { $0.hasPrefix("GNU.sparse.") }) {
                        sparse.append(next.pax["GNU.sparse.name"].map(normalised) ?? name)
                    } else {
                        files.append(TarEntry(name: name, offset: start, size: size))
                    }
                case UInt8(ascii: "1"):
                    links.append(TarListing.Link(name: name, target: normalised(target), place: files.count))
                case UInt8(ascii: "2"):
                    let target = TarListing.target(of: name, target)
                    links.append(TarListing.Link(name: name, target: target, place: files.count))
                case UInt8(ascii: "S"): sparse.append(name)
                default: break
                }
            }
        }
        // Without the two blocks of zeros behind the last member, which tar itself accepts.
        if !isWhole, position < bytes.count || files.isEmpty && links.isEmpty && sparse.isEmpty {
            throw damaged(at: min(position, bytes.count), "the archive ends inside a header")
        }
        return TarListing(files: files, links: links, sparse: sparse)
    }

    /// What headers of their own say of the member that follows them.
    private struct Announced {
        var pax: [String: String] = [:]
        var name: String?
        var target: String?
    }

    private func block(at position: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[position..<(position + Self.block)])
    }

    /// How many blocks of GNU's older form go on with a sparse member's map; its size does not count them.
    private func sparseBlocks(behind position: Int) -> Int {
        var count = 0
        var goesOn = bytes[position + 482] != 0
        while goesOn, position + (count + 2) * Self.block <= bytes.count {
            count += 1
            goesOn = bytes[position + count * Self.block + 504] != 0
        }
        return count
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
