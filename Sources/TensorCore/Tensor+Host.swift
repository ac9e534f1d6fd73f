extension Tensor {
    /// A float32 tensor with these values, row-major.
    public init(_ values: [Float], shape: Shape, on backend: any Backend) {
        precondition(values.count == shape.count, "\(values.count) values for shape \(shape)")
        self = backend.empty(shape)
        values.withUnsafeBytes { backend.upload($0, to: self) }
    }

    /// An int32 tensor with these values, row-major.
    public init(_ values: [Int32], shape: Shape? = nil, on backend: any Backend) {
        let shape = shape ?? [values.count]
        precondition(values.count == shape.count, "\(values.count) values for shape \(shape)")
        self = backend.empty(shape, .int32)
        values.withUnsafeBytes { backend.upload($0, to: self) }
    }

    /// The elements as float32 on the host, widened or dequantised where stored otherwise.
    public var floats: [Float] {
        var source = self
        if dtype != .float32 {
            source = backend.empty(shape)
            backend.convert(self, into: source)
        }
        return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            backend.download(source, to: UnsafeMutableRawBufferPointer(buffer))
            initialized = count
        }
    }

    /// The elements of an int32 tensor on the host.
    public var integers: [Int32] {
        precondition(dtype == .int32, "int32 elements expected, found \(dtype)")
        return [Int32](unsafeUninitializedCapacity: count) { buffer, initialized in
            backend.download(self, to: UnsafeMutableRawBufferPointer(buffer))
            initialized = count
        }
    }

    /// The only element of a one-element tensor.
    public var scalar: Float {
        precondition(count == 1, "scalar: shape \(shape) has \(count) elements")
        return floats[0]
    }
}

extension Backend {
    /// A tensor with unspecified contents.
    public func empty(_ shape: Shape, _ dtype: DType = .float32) -> Tensor {
        Tensor(shape: shape, dtype: dtype, storage: allocate(byteCount: max(1, dtype.byteCount(of: shape.count))))
    }

    /// A float32 tensor with unspecified contents, whose memory is taken when it is first looked at.
    public func promised(_ shape: Shape) -> Tensor {
        Tensor(shape: shape, storage: Storage(promised: max(1, DType.float32.byteCount(of: shape.count)), on: self))
    }

    /// A float32 tensor of zeros.
    public func zeros(_ shape: Shape) -> Tensor {
        let tensor = empty(shape)
        fill(tensor, 0)
        return tensor
    }
}
