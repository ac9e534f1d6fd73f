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
    /// Blocks of 32 weights of a row: a float16 scale, then 16 bytes of two unsigned nibbles, value − 8 (18 bytes).
    case int4Blocks
    /// Blocks of 64 weights of a row: a float16 scale, then 64 signed bytes (66 bytes).
    case int8Blocks64
    case int8Blocks128
    case int8Blocks192
    case int8Blocks256

    /// The forms of 8 bits, the one of fewest scales first.
    public static let int8Blocks: [DType] = [.int8Blocks256, .int8Blocks192, .int8Blocks128, .int8Blocks64]

    /// Weights that share one scale in the block forms, otherwise 1.
    public var blockLength: Int {
        switch self {
        case .int4Blocks: 32
        case .int8Blocks64: 64
        case .int8Blocks128: 128
        case .int8Blocks192: 192
        case .int8Blocks256: 256
        case .float32, .float16, .bfloat16, .int32: 1
        }
    }

    /// The least number of elements that is whole blocks in every form.
    public static let wholeBlocks = 768

    /// Whether weights share scales.
    public var isInBlocks: Bool { blockLength > 1 }

    /// Bytes of one block of `blockLength` elements.
    public var blockByteCount: Int {
        switch self {
        case .float32, .int32: 4
        case .float16, .bfloat16: 2
        case .int4Blocks: 18
        case .int8Blocks64, .int8Blocks128, .int8Blocks192, .int8Blocks256: 2 + blockLength
        }
    }

    /// Bytes that `count` elements take; block forms round up to whole blocks.
    public func byteCount(of count: Int) -> Int {
        (count + blockLength - 1) / blockLength * blockByteCount
    }
}
