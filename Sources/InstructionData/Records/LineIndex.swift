import Synchronization

/// Line numbers of offsets in a mapped file, for messages.
///
/// Nothing is counted until a message needs a line. Then line ends are counted block by block, once, so that a file
/// with a million faults is not scanned a million times. Safe to use from many threads.
final class LineIndex: Sendable {
    private static let blockSize = 1 << 20
    /// Line ends before each block counted so far.
    private let before = Mutex<[Int]>([0])

    /// 1-based line of an offset in the file's bytes, which must be the same at each call.
    func line(of offset: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        let block = min(max(0, offset), bytes.count) / Self.blockSize
        let start = before.withLock { before in
            while before.count <= block {
                let begin = (before.count - 1) * Self.blockSize
                before.append(before[before.count - 1] + Self.lineEnds(in: bytes, begin..<(begin + Self.blockSize)))
            }
            return before[block]
        }
        return 1 + start + Self.lineEnds(in: bytes, (block * Self.blockSize)..<min(offset, bytes.count))
    }

    private static func lineEnds(in bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int {
        var count = 0
        var position = range.lowerBound
        while position < range.upperBound, let end = RecordIndex.newline(in: bytes, from: position),
            end < range.upperBound
        {
            count += 1
            position = end + 1
        }
        return count
    }
}
