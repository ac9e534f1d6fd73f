public import TensorCore

extension ReferenceBackend {
    /// None: tokens go kernel by kernel.
    public func tokenPass(through decoder: DecoderWeights) -> (any TokenPass)? { nil }
}
