public import TensorCore

extension ParameterTree {
    /// Stores the weights of the given parameters in another form: bfloat16 or blocks for inference and frozen parts.
    ///
    /// Parameters that shared one block of memory share one afterwards too, so products that were fused stay fused. Rows that
    /// are not whole blocks of the form stay as they are.
    /// - Parameter accepts: which parameters to convert; normally matrices only.
    public func convert(to dtype: DType, where accepts: (Entry) -> Bool = { $0.parameter.shape.rank == 2 }) {
        ParameterTree.place(groups(for: dtype, accepts), as: dtype) { $1.value.backend.convert($1.value, into: $0) }
    }

    /// Promises parameters memory in another form before their weights are loaded, which then never exist in a wider one.
    public func reserve(_ dtype: DType, where accepts: (Entry) -> Bool) {
        ParameterTree.place(groups(for: dtype, accepts), as: dtype) { _, _ in }
    }

    /// Puts weights side by side again that stood so when the model was made and have memory of their own since, as those do that were codes
    /// for a while. Apart they are multiplied apart, which rounds otherwise than in the same model read from a file.
    public func rejoin() {
        let followers = Set(entries.compactMap { $0.parameter.next.map { ObjectIdentifier($0) } })
        for first in entries.map(\.parameter) where first.next != nil && !followers.contains(ObjectIdentifier(first)) {
            let group = Array(sequence(first: first, next: \.next))
            guard group.allSatisfy({ $0.source == nil && $0.value.dtype == .float32 }),
                !zip(group, group.dropFirst()).allSatisfy({ $0.value.joined(with: $1.value) != nil })
            else { continue }
            ParameterTree.place([group], as: .float32) { $1.value.backend.copy($1.value, into: $0) }
        }
    }

    /// The parameters that can take another form, those together that share a block of memory.
    private func groups(for dtype: DType, _ accepts: (Entry) -> Bool) -> [[Parameter]] {
        var groups: [ObjectIdentifier: [Parameter]] = [:]
        var order: [ObjectIdentifier] = []
        for entry in entries where accepts(entry) {
            let parameter = entry.parameter
            guard parameter.value.dtype != dtype, parameter.shape.columns % dtype.blockLength == 0 else { continue }
            let key = ObjectIdentifier(parameter.value.storage)
            if groups[key] == nil { order.append(key) }
            groups[key, default: []].append(parameter)
        }
        return order.map { groups[$0]!.sorted { $0.value.byteOffset < $1.value.byteOffset } }
    }

    /// Gives parameters fresh memory in another form, filled by `fill`: one block for all, so that it lies on huge pages whatever
    /// the size of a single matrix, and generation streams through it.
    ///
    /// - Parameters:
    ///   - groups: parameters that will follow each other without a gap.
    ///   - fill: writes the values; the memory is taken when something is first written.
    public static func place(
        _ groups: [[Parameter]], as dtype: DType, fill: (_ value: Tensor, _ parameter: Parameter) throws -> Void
    ) rethrows {
        guard let backend = groups.first?.first?.value.backend else { return }
        let sizes = groups.map { ($0.reduce(0) { $0 + dtype.byteCount(of: $1.count) } + 63) / 64 * 64 }
        let storage = Storage(promised: sizes.reduce(0, +), on: backend)
        var start = 0
        for (group, size) in zip(groups, sizes) {
            var offset = start
            for parameter in group {
                let value = Tensor(shape: parameter.shape, dtype: dtype, storage: storage, byteOffset: offset)
                try fill(value, parameter)
                parameter.replaceValue(value)
                offset += dtype.byteCount(of: parameter.count)
            }
            start += size
        }
    }
}
