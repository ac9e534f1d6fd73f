import Basics
import NeuralNetwork
import TensorCore

// Quantised weights in files. A matrix [rows, columns] is a tensor of bytes (U8) [rows, blocks · bytes of a block]: for each block a
// float16 scale, then 64, 128, 192 or 256 signed bytes, or 16 bytes of two nibbles for 32 weights (18 bytes, GGML's Q4_0). The bytes of a
// row tell which.

extension DType {
    /// The bytes of a row of `columns` weights in a block form; nil where rows are no whole blocks, or the form has none.
    func blockRowBytes(_ columns: Int) -> Int? {
        guard isInBlocks, columns > 0, columns % blockLength == 0 else { return nil }
        return byteCount(of: columns)
    }

    /// The index of the first block whose scale is NaN or infinite.
    func firstNonFiniteScale(_ bytes: UnsafeRawBufferPointer) -> Int? {
        let blockBytes = byteCount(of: blockLength), exponent: UInt16 = 0x7C00
        return (0..<bytes.count / blockBytes).first { block in
            bytes.loadUnaligned(fromByteOffset: block * blockBytes, as: UInt16.self) & exponent == exponent
        }
    }

    /// The block form that a file's tensor holds for the parameters; nil when it holds numbers, or does not fit.
    static func blocks(in entry: TensorEntry, of parameters: [Parameter], _ form: KeyRule.Form) -> DType? {
        guard entry.element == .uint8, form == .same, parameters.count == 1, let shape = parameters.first?.shape,
            shape.rank == 2, entry.shape.count == 2, entry.shape[0] == shape[0]
        else { return nil }
        return DType.allCases.first { $0.blockRowBytes(shape[1]) == entry.shape[1] }
    }
}

extension Tensor {
    /// Weights beyond some 8 million have no scale of float16.
    func checkScales(_ path: String, _ name: String) throws {
        let bytes = UnsafeRawBufferPointer(start: pointer, count: dtype.byteCount(of: count))
        guard dtype.isInBlocks, let block = dtype.firstNonFiniteScale(bytes) else { return }
        throw CheckpointError(
            .notFinite, path, tensor: name, "a weight of block \(block) is too large for weights of few bits",
            fix: "leave --quantize out")
    }
}

extension Parameter {
    /// The shape of the parameter's block form in a file; nil when it is not in one.
    var fileBlockShape: [Int]? {
        guard shape.rank == 2, let bytes = value.dtype.blockRowBytes(shape[1]) else { return nil }
        return [shape[0], bytes]
    }
}

extension LoadingPlan {
    /// Gives the parameters whose weights lie in blocks memory of that form and reads the blocks as they are. Maps that
    /// were one product stay one.
    func loadBlocks(_ source: some TensorSource, checksFinite: Bool) throws {
        var groups: [ObjectIdentifier: [Step]] = [:]
        var order: [ObjectIdentifier] = []
        for step in steps where step.blocks != nil {
            let key = ObjectIdentifier(step.parameters[0].value.storage)
            if groups[key] == nil { order.append(key) }
            groups[key, default: []].append(step)
        }
        for form in DType.allCases where form.isInBlocks {
            let chosen = order.map { groups[$0, default: []].filter { $0.blocks == form } }.filter { !$0.isEmpty }
            var names: [ObjectIdentifier: String] = [:]
            for step in chosen.joined() { names[ObjectIdentifier(step.parameters[0])] = step.name }
            let places = chosen.map { steps in
                steps.map { $0.parameters[0] }.sorted { $0.value.byteOffset < $1.value.byteOffset }
            }
            try ParameterTree.place(places, as: form) { value, parameter in
                guard let name = names[ObjectIdentifier(parameter)] else { return }
                try source.withBytes(name) { bytes in
                    if checksFinite, let block = form.firstNonFiniteScale(bytes) {
                        throw CheckpointError.notFinite(source.path, name, "the scale of block \(block)")
                    }
                    value.backend.upload(bytes, to: value)
                }
            }
        }
    }
}
