import Basics

/// What is to be written as one tensor.
public struct TensorDescription: Sendable, Hashable {
    /// The tensor's name in the file.
    public let name: String
    /// How its elements are stored.
    public let element: TensorElement
    /// Extents, outermost first.
    public let shape: [Int]

    /// A tensor to be written.
    public init(name: String, element: TensorElement, shape: [Int]) {
        self.name = name
        self.element = element
        self.shape = shape
    }

    /// Bytes of its elements.
    public var byteCount: Int { shape.reduce(element.byteCount, *) }
}

/// Writes a safetensors file tensor by tensor; it takes its name only when complete.
///
/// The header comes first, so all names, types and shapes are given at the start, and the data in that order. Wider
/// elements stand before narrower ones (the order of equals stays), since PyTorch reads aligned tensors only.
public struct SafetensorsWriter: ~Copyable {
    /// What the file will hold, in the order in which the data must be appended.
    public let descriptions: [TensorDescription]

    private let file: AtomicFile
    private var next = 0

    /// Starts a file.
    /// - Parameters:
    ///   - descriptions: Everything that will be appended; names must differ.
    ///   - metadata: The header's `__metadata__`; loaders of transformers ask for `format`.
    /// - Throws: `FileError` naming the path.
    public init(
        _ path: String, _ descriptions: [TensorDescription], metadata: [(String, String)] = [("format", "pt")]
    ) throws {
        let sorted = Self.sorted(descriptions)
        let header = Self.header(sorted, metadata: metadata)
        let file = try AtomicFile(path)
        try header.withUnsafeBytes { try file.write($0) }
        self.descriptions = sorted
        self.file = file
    }

    /// The descriptions in the order of the file: wider elements first, otherwise as given.
    public static func sorted(_ descriptions: [TensorDescription]) -> [TensorDescription] {
        [8, 4, 2, 1].flatMap { width in descriptions.filter { $0.element.byteCount == width } }
    }

    /// Appends the bytes of the next tensor.
    /// - Precondition: `name` is the next of ``descriptions`` and the byte count is the announced one.
    public mutating func append(_ name: String, _ bytes: UnsafeRawBufferPointer) throws {
        precondition(next < descriptions.count, "\(name) was not announced")
        let description = descriptions[next]
        precondition(description.name == name, "\(description.name) is next, got \(name)")
        precondition(
            description.byteCount == bytes.count,
            "\(name) of \(description.shape) takes \(description.byteCount) bytes, got \(bytes.count)")
        try file.write(bytes)
        next += 1
    }

    /// Appends the next tensor from float32 values, converted to its element type.
    public mutating func append(_ name: String, floats: [Float]) throws {
        let element = next < descriptions.count ? descriptions[next].element : .float32
        precondition(element.isFloatingPoint, "\(name) is announced as \(element), not as floats")
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: floats.count * element.byteCount, alignment: 16)
        defer { buffer.deallocate() }
        floats.withUnsafeBytes { FloatConversion.convert($0, .float32, into: buffer, element) }
        try append(name, UnsafeRawBufferPointer(buffer))
    }

    /// Completes the file.
    /// - Precondition: Everything announced has been appended.
    public consuming func finish() throws {
        precondition(next == descriptions.count, "\(descriptions.count - next) announced tensors are missing")
        try file.commit()
    }

    /// Length, JSON, and spaces that put the data on a multiple of eight bytes.
    private static func header(_ descriptions: [TensorDescription], metadata: [(String, String)]) -> [UInt8] {
        var object = JSONObject()
        if !metadata.isEmpty { object["__metadata__"] = .object(JSONObject(metadata.map { ($0, .string($1)) })) }
        var offset = 0
        for description in descriptions {
            precondition(object[description.name] == nil, "two tensors are named \(description.name)")
            let end = offset + description.byteCount
            object[description.name] = [
                "dtype": .string(description.element.rawValue), "shape": .array(description.shape.map { .int($0) }),
                "data_offsets": [.int(offset), .int(end)],
            ]
            offset = end
        }
        var text = JSON.object(object).serializedBytes()
        text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - text.count % 8) % 8))
        return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
    }
}
