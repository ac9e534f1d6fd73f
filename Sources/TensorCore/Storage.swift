import Synchronization

/// A block of a back end's memory, given back to that back end's pool when nothing refers to it any more.
///
/// Fresh pages for every activation cost more than many kernels do, so back ends keep returned blocks and hand them
/// out again; `deinit` is the only place where a block goes back.
public final class Storage {
    /// The first byte, aligned to 64 bytes. Host memory for the back ends that run on the CPU. Memory that was promised is taken here.
    public var pointer: UnsafeMutableRawPointer {
        UnsafeMutableRawPointer(bitPattern: address.load(ordering: .acquiring)) ?? take()
    }
    /// Bytes asked for; the block may be larger.
    public let byteCount: Int
    /// The back end that owns the memory and whose kernels read it.
    public let backend: any Backend
    /// What the back end keeps beside the memory, such as another order of the same weights; it goes when the memory goes.
    public var companion: AnyObject?

    private let release: (UnsafeMutableRawPointer) -> Void
    /// Of the first byte; 0 before promised memory is taken.
    private let address: Atomic<UInt>
    /// The memory that was promised; threads that load weights may want it at the same moment.
    private var taken: Storage?
    private let taking = Mutex(())

    /// Wraps a block; `release` receives the pointer when the last reference goes.
    public init(
        pointer: UnsafeMutableRawPointer, byteCount: Int, backend: any Backend,
        release: @escaping (UnsafeMutableRawPointer) -> Void
    ) {
        address = Atomic(UInt(bitPattern: pointer))
        self.byteCount = byteCount
        self.backend = backend
        self.release = release
    }

    /// Memory that the back end is asked for when somebody first wants its address: parameters that get another form, or stay in
    /// their file, before anything is written to them never take any.
    public init(promised byteCount: Int, on backend: any Backend) {
        address = Atomic(0)
        self.byteCount = byteCount
        self.backend = backend
        release = { _ in }
    }

    deinit {
        if let pointer = UnsafeMutableRawPointer(bitPattern: address.load(ordering: .relaxed)) { release(pointer) }
    }

    private func take() -> UnsafeMutableRawPointer {
        taking.withLock { _ in
            guard taken == nil else { return }
            let memory = backend.allocate(byteCount: byteCount)
            taken = memory
            address.store(UInt(bitPattern: memory.pointer), ordering: .releasing)
        }
        return pointer
    }
}
