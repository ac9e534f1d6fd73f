public import TensorCore

/// The specification of every kernel: plain loops that compute in `Double` and round once, when they store.
///
/// Other back ends are tested against this one, so it is written to be read beside the cited formula, not to be fast.
/// Fresh memory holds NaN: whoever reads what nobody wrote sees it in the result.
public final class ReferenceBackend: Backend {
    /// "reference".
    public let name = "reference"
    /// One.
    public let threads = 1
    /// One after the other.
    public func sideBySide(_ count: Int, reading weights: [Tensor], _ body: @Sendable (Int) -> Void) {
        for index in 0..<count { body(index) }
    }
    /// There is one thread.
    public var dividesSmallSteps: Bool { false }

    /// A back end with memory of its own; two of them share nothing.
    public init() {}

    /// Bytes of 0xFF, which read as NaN in every float format.
    public func allocate(byteCount: Int) -> Storage {
        let block = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
        block.initializeMemory(as: UInt8.self, repeating: 0xFF, count: byteCount)
        return Storage(pointer: block, byteCount: byteCount, backend: self) { $0.deallocate() }
    }

    /// A copy of the bytes.
    public func upload(_ bytes: UnsafeRawBufferPointer, to tensor: Tensor) {
        precondition(bytes.count == tensor.dtype.byteCount(of: tensor.count), "upload: \(bytes.count) bytes")
        if let source = bytes.baseAddress { tensor.pointer.copyMemory(from: source, byteCount: bytes.count) }
    }

    /// A copy of the bytes.
    public func download(_ tensor: Tensor, to bytes: UnsafeMutableRawBufferPointer) {
        precondition(bytes.count == tensor.dtype.byteCount(of: tensor.count), "download: \(bytes.count) bytes")
        if let target = bytes.baseAddress { target.copyMemory(from: tensor.pointer, byteCount: bytes.count) }
    }

    /// t[i] = value.
    public func fill(_ tensor: Tensor, _ value: Float) {
        for index in 0..<tensor.count { tensor.floatPointer[index] = value }
    }

    /// A copy of the bytes.
    public func copy(_ source: Tensor, into destination: Tensor) {
        precondition(source.dtype == destination.dtype && source.count == destination.count, "copy: unlike tensors")
        destination.pointer.copyMemory(from: source.pointer, byteCount: source.dtype.byteCount(of: source.count))
    }

    /// Widens, then rounds to nearest even, or quantises as `BlockFormat` says.
    public func convert(_ source: Tensor, into destination: Tensor) {
        precondition(source.count == destination.count, "convert: \(source.shape) into \(destination.shape)")
        let values = (0..<source.count).map { source.element($0) }
        if destination.dtype == .int4Blocks {
            BlockFormat.storeInt4(values.map(Float.init), at: destination.pointer)
        } else if destination.dtype.isInBlocks {
            BlockFormat.storeInt8(values.map(Float.init), destination.dtype, at: destination.pointer)
        } else {
            for (index, value) in values.enumerated() { destination.setElement(index, value) }
        }
    }
}
