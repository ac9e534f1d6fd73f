/// How a safetensors file stores the elements of a tensor. The raw values are the format's names.
public enum TensorElement: String, Sendable, CaseIterable {
    case float64 = "F64"
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int64 = "I64"
    case int32 = "I32"
    case int16 = "I16"
    case int8 = "I8"
    case uint64 = "U64"
    case uint32 = "U32"
    case uint16 = "U16"
    case uint8 = "U8"
    case bool = "BOOL"

    /// Bytes of one element.
    public var byteCount: Int {
        switch self {
        case .float64, .int64, .uint64: 8
        case .float32, .int32, .uint32: 4
        case .float16, .bfloat16, .int16, .uint16: 2
        case .int8, .uint8, .bool: 1
        }
    }

    /// What `config.json` calls it (`torch_dtype`).
    public var torchName: String {
        switch self {
        case .float64: "float64"
        case .float32: "float32"
        case .float16: "float16"
        case .bfloat16: "bfloat16"
        case .int64: "int64"
        case .int32: "int32"
        case .int16: "int16"
        case .int8: "int8"
        case .uint64: "uint64"
        case .uint32: "uint32"
        case .uint16: "uint16"
        case .uint8: "uint8"
        case .bool: "bool"
        }
    }

    /// Whether these are floating-point numbers.
    public var isFloatingPoint: Bool {
        switch self {
        case .float64, .float32, .float16, .bfloat16: true
        default: false
        }
    }
}

/// What a file says about one tensor.
public struct TensorEntry: Sendable, Hashable {
    /// The tensor's name.
    public let name: String
    /// How its elements are stored.
    public let element: TensorElement
    /// Extents, outermost first; empty for a scalar.
    public let shape: [Int]
    /// The bytes of its elements, counted from the start of the file.
    public let byteRange: Range<Int>

    /// The number of elements.
    public var count: Int { byteRange.count / element.byteCount }
}
