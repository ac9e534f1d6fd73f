import Synchronization

/// Line numbers of offsets in a mapped file, for messages.
///
/// Nothing is counted until a message needs a line. Then line ends are counted block by block, once, so that a file
/// with a million faults is not scanned a million times; a line behind the one before is counted from there. Safe to use
/// from many threads.
final class LineIndex: Sendable {
    private struct State {
        /// Line ends before each block counted so far.
        var before = [0]
        /// The place that was asked for last, with the line ends before it.
        var last = (offset: 0, count: 0)
    }

    private static let blockSize = 1 << 20
    private let state = Mutex(State())

    /// 1-based line of an offset in the file's bytes, which must be the same at each call.
    func line(of offset: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        let offset = min(max(0, offset), bytes.count)
        let block = offset / Self.blockSize
        return state.withLock { state in
            while state.before.count <= block {
                let begin = (state.before.count - 1) * Self.blockSize
                let inside = Self.lineEnds(in: bytes, begin..<(begin + Self.blockSize))
                state.before.append(state.before[state.before.count - 1] + inside)
            }
            var from = (offset: block * Self.blockSize, count: state.before[block])
            if state.last.offset <= offset, state.last.offset > from.offset { from = state.last }
            state.last = (offset, from.count + Self.lineEnds(in: bytes, from.offset..<offset))
            return 1 + state.last.count
        }
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
