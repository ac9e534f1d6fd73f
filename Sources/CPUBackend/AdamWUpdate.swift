import CKernels
import TensorCore

/// An AdamW update that threads of the pool are still at.
///
/// Unchecked because any thread may wait: the kernels' side of it is made for that.
final class AdamWUpdate: PendingUpdate, @unchecked Sendable {
    private let update: OpaquePointer
    /// Whose memory is written. Gradients are kept by those who wait.
    private let kept: [(parameter: Tensor, firstMoment: Tensor, secondMoment: Tensor)]
    private let backend: CPUBackend

    init(_ update: OpaquePointer, of slices: [AdamWSlice], on backend: CPUBackend) {
        self.update = update
        self.backend = backend
        kept = slices.map { ($0.parameter, $0.firstMoment, $0.secondMoment) }
    }

    deinit { vitrail_adamw_end(update) }

    func wait(slices count: Int) { vitrail_adamw_wait(update, count) }
}
