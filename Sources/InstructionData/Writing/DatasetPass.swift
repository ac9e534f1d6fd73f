import Basics

/// Work over the records of a data set: pieces side by side on all cores, results in order, memory bounded.
///
/// While the calling thread takes a result, the workers are at the next pieces. What comes out depends on the records
/// alone, never on the number of threads.
struct DatasetPass {
    /// How many records there are.
    var count: Int
    /// Threads.
    var workers = Parallel.processors
    /// Only the records whose number is the part's modulo the number of parts.
    var shard: Conversion.Shard?
    /// Records that an earlier run has done; pieces begin behind them.
    var start = 0
    /// Records of a piece.
    var piece = 256

    init(_ dataset: InstructionDataset, workers: Int = Parallel.processors, shard: Conversion.Shard? = nil) {
        count = dataset.count
        self.workers = workers
        self.shard = shard
    }

    /// Runs over all pieces.
    ///
    /// - Parameters:
    ///   - make: makes the result of some records, on any thread, with a tape that it has for itself.
    ///   - consume: takes each result on this thread, in order, with the number of records until then.
    func run<Result: Sendable>(
        make: @escaping @Sendable (_ positions: [Int], _ tape: JSONTape) throws -> Result,
        consume: (_ done: Int, _ result: Result) throws -> Void
    ) throws {
        let (start, count, piece, shard) = (min(start, count), count, piece, shard)
        let pieces = try OrderedPrefetcher<Swift.Result<Result, any Error>>(
            positions: 0..<((count - start + piece - 1) / piece), workers: workers, depth: max(1, workers) * 4
        ) { number in
            let range = (start + number * piece)..<min(count, start + (number + 1) * piece)
            let positions = range.filter { position in shard.map { position % $0.count == $0.index } ?? true }
            return Swift.Result { try make(positions, JSONTape()) }
        }
        var done = start
        while let result = pieces.next() {
            done = min(count, done + piece)
            try consume(done, result.get())
        }
    }
}
