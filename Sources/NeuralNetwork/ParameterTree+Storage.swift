public import TensorCore

extension ParameterTree {
    /// Stores the weights of the given parameters in another form: bfloat16 or blocks for inference and frozen parts.
    ///
    /// Parameters that shared one block of memory share one afterwards too, so products that were fused stay fused. Rows that
    /// are not whole blocks of the form stay as they are.
    /// - Parameter accepts: which parameters to convert; normally matrices only.
    public func convert(to dtype: DType, where accepts: (Entry) -> Bool = { $0.parameter.shape.rank == 2 }) {
        var groups: [ObjectIdentifier: [Parameter]] = [:]
        var order: [ObjectIdentifier] = []
        for entry in entries where accepts(entry) {
            let parameter = entry.parameter
            guard parameter.value.dtype != dtype, parameter.shape.columns % dtype.blockLength == 0 else { continue }
            let key = ObjectIdentifier(parameter.value.storage)
            if groups[key] == nil { order.append(key) }
            groups[key, default: []].append(parameter)
        }
        for key in order {
            ParameterTree.place(groups[key]!, as: dtype) { $1.value.backend.convert($1.value, into: $0) }
        }
    }

    /// Gives parameters fresh memory in another form, one after another in the order of the old, filled by `fill`.
    public static func place(
        _ parameters: [Parameter], as dtype: DType, fill: (_ value: Tensor, _ parameter: Parameter) throws -> Void
    ) rethrows {
        guard let backend = parameters.first?.value.backend else { return }
        let parameters = parameters.sorted { $0.value.byteOffset < $1.value.byteOffset }
        let sizes = parameters.map { dtype.byteCount(of: $0.count) }
        let storage = backend.allocate(byteCount: sizes.reduce(0, +))
        var offset = 0
        for (parameter, size) in zip(parameters, sizes) {
            let value = Tensor(shape: parameter.shape, dtype: dtype, storage: storage, byteOffset: offset)
            try fill(value, parameter)
            parameter.replaceValue(value)
            offset += size
        }
    }
}

/// Moves parameters into one block of memory, in order, so that maps of the same input multiply as one.
public func makeAdjacent(_ parameters: [Parameter?]) {
    let parameters = parameters.compactMap { $0 }
    guard parameters.count > 1, let first = parameters.first?.value else { return }
    let bytes = parameters.reduce(0) { $0 + $1.value.dtype.byteCount(of: $1.count) }
    let storage = first.backend.allocate(byteCount: bytes)
    var offset = 0
    for parameter in parameters {
        let old = parameter.value
        let value = Tensor(shape: old.shape, dtype: old.dtype, storage: storage, byteOffset: offset)
        old.backend.copy(old, into: value)
        parameter.replaceValue(value)
        offset += old.dtype.byteCount(of: old.count)
    }
}
