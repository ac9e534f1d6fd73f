/// A contiguous row-major array in a back end's memory, with the graph node that produced it when gradients are wanted.
///
/// Deliberately not `Sendable`: one task owns a model and its training.
public struct Tensor {
    /// Extents, outermost first.
    public let shape: Shape
    /// How elements are stored.
    public let dtype: DType
    /// The memory; several tensors may look into one block (rows of a fused weight, slices of a gradient buffer).
    public package(set) var storage: Storage
    /// Bytes from the start of `storage` to the first element.
    public let byteOffset: Int
    /// The node to which a gradient flows, nil when none is wanted.
    public var node: GraphNode?

    /// A tensor over existing memory.
    public init(shape: Shape, dtype: DType = .float32, storage: Storage, byteOffset: Int = 0, node: GraphNode? = nil) {
        precondition(
            byteOffset + dtype.byteCount(of: shape.count) <= storage.byteCount,
            "a tensor of shape \(shape) does not fit \(storage.byteCount) bytes at offset \(byteOffset)")
        self.shape = shape
        self.dtype = dtype
        self.storage = storage
        self.byteOffset = byteOffset
        self.node = node
    }

    /// The back end that holds the memory.
    public var backend: any Backend { storage.backend }

    /// The number of elements.
    public var count: Int { shape.count }

    /// The first element's address.
    public var pointer: UnsafeMutableRawPointer { storage.pointer + byteOffset }

    /// The elements as 32-bit floats. Programmer's error on any other dtype.
    public var floatPointer: UnsafeMutablePointer<Float> {
        precondition(dtype == .float32, "float32 elements expected, found \(dtype)")
        return pointer.assumingMemoryBound(to: Float.self)
    }

    /// The elements as 32-bit integers. Programmer's error on any other dtype.
    public var intPointer: UnsafeMutablePointer<Int32> {
        precondition(dtype == .int32, "int32 elements expected, found \(dtype)")
        return pointer.assumingMemoryBound(to: Int32.self)
    }

    /// The same memory without the graph: no gradient flows through the result.
    public var detached: Tensor { Tensor(shape: shape, dtype: dtype, storage: storage, byteOffset: byteOffset) }

    /// The same elements under another shape; the gradient flows through.
    public func reshaped(_ newShape: Shape) -> Tensor {
        precondition(
            newShape.count == count, "reshape: \(shape) has \(count) elements, \(newShape) has \(newShape.count)")
        let view = Tensor(shape: newShape, dtype: dtype, storage: storage, byteOffset: byteOffset)
        guard let node else { return view }
        let shape = shape
        return view.recorded(from: [node]) { gradient in
            node.accept(gradient.detachedView(shape))
        }
    }

    /// Rows `range` of the first axis, sharing memory, outside the graph.
    public func rows(_ range: Range<Int>) -> Tensor {
        precondition(range.lowerBound >= 0 && range.upperBound <= shape[0], "rows \(range) of \(shape)")
        let rowElements = shape.dimensions.dropFirst().reduce(1, *)
        precondition(rowElements % dtype.blockLength == 0, "rows of \(shape) are not whole blocks of \(dtype)")
        return Tensor(
            shape: Shape([range.count] + shape.dimensions.dropFirst()), dtype: dtype, storage: storage,
            byteOffset: byteOffset + dtype.byteCount(of: rowElements) * range.lowerBound)
    }

    /// The same memory under another shape, outside the graph.
    func detachedView(_ newShape: Shape) -> Tensor {
        Tensor(shape: newShape, dtype: dtype, storage: storage, byteOffset: byteOffset)
    }
}
