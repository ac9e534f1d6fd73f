import CKernels
import TensorCore

/// Block-form weights with 16 rows side by side, as the streaming products read them: the same codes and scales in another order.
///
/// Made when a weight is first multiplied by few rows, and kept beside its memory while that lives and is not written to.
final class RegroupedWeights {
    /// The windows of the storage that were asked for; nearly always one.
    private var blocks: [(address: UnsafeMutableRawPointer, rows: Int, block: RegroupedBlock)] = []

    /// The regrouped form of a window, made by `make` where there is none.
    static func form(of weights: Matrix, make: () -> RegroupedBlock) -> UnsafeMutableRawPointer {
        let storage = weights.tensor.storage
        let forms = storage.companion as? RegroupedWeights ?? RegroupedWeights()
        let address = weights.pointer
        if let known = forms.blocks.first(where: { $0.address == address && $0.rows == weights.rows }) {
            return known.block.pointer
        }
        let block = make()
        forms.blocks.append((address, weights.rows, block))
        storage.companion = forms
        return block.pointer
    }

    /// Forgets what was made from memory that is about to be written.
    static func forget(_ storage: Storage) {
        if storage.companion != nil { storage.companion = nil }
    }
}

extension CPUBackend {
    /// The regrouped form of block-form weights; nil when rows are not whole blocks next to each other.
    func regrouped(_ weights: Matrix) -> UnsafeMutableRawPointer? {
        guard weights.columns % 32 == 0, weights.rowStride == weights.columns else { return nil }
        let format = weights.dtype == .int8Blocks ? VITRAIL_WEIGHTS_INT8 : VITRAIL_WEIGHTS_INT4
        return RegroupedWeights.form(of: weights) {
            let byteCount = vitrail_quantized_bytes(format, Int64(weights.rows), Int64(weights.columns))
            let block = RegroupedBlock(byteCount: byteCount, memory: memory)
            vitrail_regroup_blocks(
                pool, weights.pointer, weights.dtype.kernelType, weights.rows, weights.columns, block.pointer)
            return block
        }
    }
}

/// Memory of a regrouped weight. Not a `Storage`, which would keep the back end alive that keeps this.
final class RegroupedBlock {
    let pointer: UnsafeMutableRawPointer
    private let sizeClass: Int
    private let memory: BlockCache

    init(byteCount: Int, memory: BlockCache) {
        (pointer, sizeClass) = memory.take(byteCount)
        self.memory = memory
    }

    deinit { memory.giveBack(pointer, sizeClass: sizeClass) }
}
