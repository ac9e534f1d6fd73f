import TensorCore

/// Logits of the next token of several sequences.
struct LogitRows {
    let tensor: Tensor
    /// The likeliest tokens, where they are known.
    var likeliest: [Int32]?

    /// Those of one sequence.
    subscript(row: Int) -> [Float] { tensor.rows(row..<row + 1).floats }

    /// The likeliest token of one sequence, found without copying its logits.
    func likeliest(_ row: Int) -> Int32 {
        if let likeliest { return likeliest[row] }
        let logits = tensor.rows(row..<row + 1)
        return withExtendedLifetime(logits) {
            Sampler.likeliest(UnsafeBufferPointer(start: logits.floatPointer, count: logits.count))
        }
    }
}
