/// A block of a back end's memory, given back to that back end's pool when nothing refers to it any more.
///
/// Fresh pages for every activation cost more than many kernels do, so back ends keep returned blocks and hand them
/// out again; `deinit` is the only place where a block goes back.
public final class Storage {
    /// The first byte, aligned to 64 bytes. Host memory for the back ends that run on the CPU.
    public let pointer: UnsafeMutableRawPointer
    /// Bytes asked for; the block may be larger.
    public let byteCount: Int
    /// The back end that owns the memory and whose kernels read it.
    public let backend: any Backend
    /// What the back end keeps beside the memory, such as another order of the same weights; it goes when the memory goes.
    public var companion: AnyObject?

    private let release: (UnsafeMutableRawPointer) -> Void

    /// Wraps a block; `release` receives the pointer when the last reference goes.
    public init(
        pointer: UnsafeMutableRawPointer, byteCount: Int, backend: any Backend,
        release: @escaping (UnsafeMutableRawPointer) -> Void
    ) {
        self.pointer = pointer
        self.byteCount = byteCount
        self.backend = backend
        self.release = release
    }

    deinit { release(pointer) }
}
