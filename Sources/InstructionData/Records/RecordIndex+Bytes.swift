#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension RecordIndex {
    /// Offset of the next line end at or after a place, nil when there is none.
    static func newline(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard start < bytes.count, let base = bytes.baseAddress else { return nil }
        guard let hit = memchr(base + start, 10, bytes.count - start) else { return nil }
        return UnsafeRawPointer(hit) - base
    }

    /// 1-based line of an offset.
    static func line(of offset: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        var line = 1
        var position = 0
        while let end = newline(in: bytes, from: position), end < offset {
            line += 1
            position = end + 1
        }
        return line
    }
}
