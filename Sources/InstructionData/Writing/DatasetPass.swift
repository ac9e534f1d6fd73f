import Basics

/// Runs over all records of a data set: pieces side by side, results in order, memory bounded.
struct DatasetPass {
    /// The records.
    let dataset: InstructionDataset
    /// Threads.
    var workers = Parallel.processors
    /// Only the records whose number is the part's modulo the number of parts.
    var shard: Conversion.Shard?
    /// Records a thread takes at once.
    var piece = 128

    /// Calls `map` on many threads and `consume` on this one, in the order of the records.
    func run<Result: Sendable>(
        progress: ((Int) -> Void)? = nil, map: @Sendable (Int) throws -> Result, consume: (Int, Result) throws -> Void
    ) throws {
        let shard = shard
        let round = piece * max(1, workers) * 8
        for start in stride(from: 0, to: dataset.count, by: round) {
            let end = min(dataset.count, start + round)
            let pieces = stride(from: start, to: end, by: piece).map { $0..<min(end, $0 + piece) }
            let parts = try Parallel.map(pieces, workers: workers) { positions in
                try positions.compactMap { position -> (Int, Result)? in
                    if let shard, position % shard.count != shard.index { return nil }
                    return (position, try map(position))
                }
            }
            for part in parts { for (position, result) in part { try consume(position, result) } }
            progress?(end)
        }
    }
}
