import CKernels
public import TensorCore

extension CPUBackend {
    /// Bytes of tensors alive now, rounded up to blocks.
    public var usedBytes: Int { memory.statistics.used }

    /// Most bytes of tensors that were alive at once since the start or `resetPeakBytes`.
    public var peakBytes: Int { memory.statistics.peak }

    /// Bytes kept for reuse.
    public var idleBytes: Int { memory.statistics.idle }

    /// Blocks handed out so far, and how many of them were fresh from the system: a step like the one before needs none.
    public var allocations: (requests: Int, fresh: Int) { (memory.statistics.requests, memory.statistics.fresh) }

    /// Counts `peakBytes` from here on.
    public func resetPeakBytes() { memory.resetPeak() }

    /// Gives the memory kept for reuse back to the operating system.
    public func releaseIdleMemory() {
        memory.trim()
        if let packedWeights { vitrail_packed_weights_release(packedWeights) }
    }

    /// A block from the cache, or fresh from the operating system.
    public func allocate(byteCount: Int) -> Storage {
        // Every kernel's result is asked for before it runs.
        vitrail_pool_look_around()
        let isBeside = threads > 1 && vitrail_pool_threads(pool) == 1
        let (pointer, sizeClass) = memory.take(byteCount, isBeside: isBeside)
        return Storage(pointer: pointer, byteCount: byteCount, backend: self) { [memory] in
            memory.giveBack($0, sizeClass: sizeClass)
        }
    }

    /// Copies on all threads: tensors are host memory.
    public func upload(_ bytes: UnsafeRawBufferPointer, to tensor: Tensor) {
        precondition(bytes.count == tensor.dtype.byteCount(of: tensor.count), "upload: \(bytes.count) bytes")
        forgetRegrouped(tensor.storage)
        if let source = bytes.baseAddress { vitrail_copy(pool, tensor.pointer, source, bytes.count) }
    }

    /// Copies on all threads: tensors are host memory.
    public func download(_ tensor: Tensor, to bytes: UnsafeMutableRawBufferPointer) {
        precondition(bytes.count == tensor.dtype.byteCount(of: tensor.count), "download: \(bytes.count) bytes")
        let source = inPlainOrder(tensor)
        if let target = bytes.baseAddress { vitrail_copy(pool, target, source.pointer, bytes.count) }
    }

    /// Stores without reading, on all threads from 32,768 elements on.
    public func fill(_ tensor: Tensor, _ value: Float) {
        vitrail_fill(pool, tensor.floatPointer, tensor.count, value)
    }

    /// Copies bytes on all threads.
    public func copy(_ source: Tensor, into destination: Tensor) {
        precondition(source.dtype == destination.dtype && source.count == destination.count, "copy: unlike tensors")
        forgetRegrouped(destination.storage)
        let source = inPlainOrder(source)
        vitrail_copy(pool, destination.pointer, source.pointer, source.dtype.byteCount(of: source.count))
    }

    /// One pass over memory; between two narrow kinds through float32.
    public func convert(_ source: Tensor, into destination: Tensor) {
        precondition(source.count == destination.count, "convert: \(source.shape) into \(destination.shape)")
        forgetRegrouped(destination.storage)
        let direct = source.dtype == .float32 || destination.dtype == .float32 || source.dtype == destination.dtype
        guard direct else {
            let widened = empty(source.shape)
            convert(source, into: widened)
            convert(widened, into: destination)
            return
        }
        let source = inPlainOrder(source)
        vitrail_convert(
            pool, source.pointer, source.dtype.kernelType, destination.pointer, destination.dtype.kernelType,
            source.count)
    }
}
