public import TensorCore

extension ReferenceBackend {
    /// None: tokens go through blocks kernel by kernel.
    public func tokenPass(through blocks: [DecoderBlockWeights]) -> (any TokenPass)? { nil }
}
