/// Lines of ascending offsets, counted once over the whole file.
struct LineCounter {
    private let bytes: UnsafeRawBufferPointer
    private var line = 1
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// 1-based line of an offset, which must not be smaller than the one before.
    mutating func line(of offset: Int) -> Int {
        while let end = RecordIndex.newline(in: bytes, from: position), end < offset {
            line += 1
            position = end + 1
        }
        return line
    }
}
