/// How the elements of a tensor are stored.
///
/// Activations and gradients are `float32`. The other kinds are storage forms of weights and indices; kernels widen
/// them while reading, and sums are always taken in `float32` or wider.
public enum DType: UInt8, Sendable, CaseIterable {
    case float32
    case float16
    case bfloat16
    /// Token ids, labels, positions and row indices.
    case int32
    /// Blocks of 64 weights of a row: a float16 scale, then 64 signed bytes (66 bytes).
    case int8Blocks
    /// Blocks of 32 weights of a row: a float16 scale, then 16 bytes of two unsigned nibbles, value − 8 (18 bytes).
    case int4Blocks

    /// Weights that share one scale in the block forms, otherwise 1.
    public var blockLength: Int {
        switch self {
        case .int8Blocks: 64
        case .int4Blocks: 32
        default: 1
        }
    }

    /// Bytes of one block of `blockLength` elements.
    public var blockByteCount: Int {
        switch self {
        case .float32, .int32: 4
        case .float16, .bfloat16: 2
        case .int8Blocks: 66
        case .int4Blocks: 18
        }
    }

    /// Bytes that `count` elements take; block forms round up to whole blocks.
    public func byteCount(of count: Int) -> Int {
        (count + blockLength - 1) / blockLength * blockByteCount
    }
}
