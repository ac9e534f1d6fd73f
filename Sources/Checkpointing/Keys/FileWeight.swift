import Basics
package import TensorCore

/// A weight that stays in its checkpoint until it is wanted, and is read again each time: for weights of which something smaller is
/// made at once.
///
/// The file is mapped, so a checkpoint that another takes the place of is still the one that was opened.
package final class FileWeight: WeightSource {
    package let shape: Shape
    package let backend: any Backend
    private let source: any TensorSource
    private let name: String

    /// - Throws: ``CheckpointError`` where a number is not finite, so that reading cannot fail later.
    init(_ name: String, of source: any TensorSource, shape: Shape, on backend: any Backend, checksFinite: Bool) throws
    {
        (self.name, self.source, self.shape, self.backend) = (name, source, shape, backend)
        if checksFinite { try source.forEachPiece(name, as: .float32, checksFinite: true) { _, _ in } }
    }

    /// Reads the values piece by piece.
    package func write(into tensor: Tensor) {
        let isNarrow = tensor.dtype == .bfloat16
        let element = isNarrow ? TensorElement.bfloat16 : .float32
        let read: Void? = try? source.forEachPiece(name, as: element, checksFinite: false) { start, bytes in
            let part = Tensor(
                shape: [bytes.count / element.byteCount], dtype: tensor.dtype, storage: tensor.storage,
                byteOffset: tensor.byteOffset + start * element.byteCount)
            backend.upload(bytes, to: part)
        }
        precondition(read != nil, "\(name) was there when the checkpoint was opened")
    }
}

extension LoadingPlan.Step {
    /// Leaves one parameter's numbers in the file where they stand there in order.
    /// - Returns: whether they could stay.
    func leave(in source: some TensorSource, checksFinite: Bool) throws -> Bool {
        guard form != .transposed, parameters.count == 1, let parameter = parameters.first else { return false }
        let weight = try FileWeight(
            name, of: source, shape: parameter.shape, on: parameter.value.backend, checksFinite: checksFinite)
        parameter.isTrainable = false
        parameter.keep(as: weight)
        return true
    }
}
