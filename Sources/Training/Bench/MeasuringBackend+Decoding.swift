public import TensorCore

// Whole decoders: forwarded and timed.
extension MeasuringBackend {
    /// Forwards, and times what goes the way.
    public func tokenPass(through decoder: DecoderWeights) -> (any TokenPass)? {
        base.tokenPass(through: decoder).map { MeasuredTokenPass($0, self) }
    }
}

/// Forwards and keeps a clock.
private final class MeasuredTokenPass: TokenPass {
    private let base: any TokenPass
    private unowned let backend: MeasuringBackend

    init(_ base: any TokenPass, _ backend: MeasuringBackend) {
        self.base = base
        self.backend = backend
    }

    func takes(sequences: Int) -> Bool { base.takes(sequences: sequences) }

    func callAsFunction(_ x: Tensor, caches: [Tensor], at places: [TokenPlace], into logits: Tensor) -> [Int] {
        backend.timed(.decoder) { base(x, caches: caches, at: places, into: logits) }
    }
}
