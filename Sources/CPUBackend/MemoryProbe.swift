import Basics
import CKernels

/// Reads a block that no cache holds, to say what memory gives at this moment.
///
/// The bandwidth of a shared machine swings within seconds, so a floor has to be probed right beside the work that it is a floor of.
public final class MemoryProbe {
    private let backend: CPUBackend
    private let block: UnsafeMutableRawPointer
    private let bytes = 512 << 20

    /// Takes 512 MiB, many times what a processor's last cache holds, and touches them; `backend`'s threads will read.
    public init(of backend: CPUBackend) {
        self.backend = backend
        guard let block = vitrail_memory_take(bytes) else {
            MemoryExhaustion("a block to probe", byteCount: bytes, usedBytes: backend.usedBytes).endProcess()
        }
        self.block = block
        block.initializeMemory(as: UInt8.self, repeating: 1, count: bytes)
    }

    deinit { vitrail_memory_give(block, bytes) }

    /// Bytes a second that the threads read together now.
    ///
    /// - Parameter sweeps: how often the block is read. The mean of a few, some 10 ms each, is what work of that moment could have had.
    public func bandwidth(sweeps: Int = 4) -> Double {
        let seconds = (0..<max(1, sweeps)).reduce(0) { sum, _ in sum + vitrail_read_seconds(backend.pool, block, bytes)
        }
        return seconds > 0 ? Double(max(1, sweeps) * bytes) / seconds : 0
    }
}
