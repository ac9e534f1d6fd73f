import Basics
public import NeuralNetwork
import Synchronization
public import TensorCore

extension ParameterTree {
    /// Fills every parameter from a checkpoint, strictly: each parameter once, each key used or deliberately ignored,
    /// every shape equal.
    ///
    /// Weights are written into the parameters' own memory, converted to their element type, piece by piece, so the peak is the
    /// model and some tens of megabytes of the file. Nothing is changed when keys or shapes differ.
    /// - Parameters:
    ///   - source: A ``TensorFolder`` or ``TensorFile``.
    ///   - table: The family's keys.
    ///   - checksFinite: Whether NaN and infinity among the weights are an error.
    ///   - left: Parameters whose weights stay in the file, frozen, until something smaller is made of them.
    ///   - unused: Parameters that nothing is expected to ask for: as those left, and not read to see whether they are finite.
    /// - Throws: ``CheckpointError`` listing all differences by path.
    public func load(
        from source: some TensorSource, table: KeyTable, checksFinite: Bool = true, leaving left: [Parameter] = [],
        unused: [Parameter] = []
    ) throws {
        let plan = try LoadingPlan(self, from: source, table: table)
        try plan.loadBlocks(source, checksFinite: checksFinite)
        let left = Set(left.map { ObjectIdentifier($0) })
        let unused = Set(unused.map { ObjectIdentifier($0) })
        let steps = plan.steps.filter { $0.blocks == nil }
        guard let backend = steps.first?.parameters[0].value.backend else { return }
        // Each tensor by one thread: reading pages, looking for NaN and touching fresh memory take longer than a disk's cache.
        nonisolated(unsafe) let work = (steps: steps, source: source)  // steps have no parameter in common
        let failures = Mutex<[Int: any Error]>([:])
        backend.sideBySide(steps.count, reading: []) { index in
            guard failures.withLock({ $0.isEmpty }) else { return }
            do {
                let step = work.steps[index]
                let first = ObjectIdentifier(step.parameters[0])
                if unused.contains(first), try step.leave(in: work.source, checksFinite: false) { return }
                if left.contains(first), try step.leave(in: work.source, checksFinite: checksFinite) { return }
                try step.load(work.source, checksFinite: checksFinite)
            } catch {
                failures.withLock { $0[index] = error }
            }
        }
        // The file's first: those in front of it have begun before it did.
        if let failure = failures.withLock({ failures in failures.min { $0.key < $1.key }?.value }) { throw failure }
    }
}

extension ParameterTree {
    /// Holds the names, shapes and types of a checkpoint against the tree, and reads no weights.
    /// - Throws: ``CheckpointError`` listing all differences by path.
    public func check(_ source: some TensorSource, table: KeyTable) throws {
        _ = try LoadingPlan(self, from: source, table: table)
    }
}

extension DType {
    /// The same form in files; nil for those that files do not have.
    var fileElement: TensorElement? {
        switch self {
        case .float32: .float32
        case .float16: .float16
        case .bfloat16: .bfloat16
        case .int32: .int32
        case .int4Blocks, .int8Blocks64, .int8Blocks128, .int8Blocks192, .int8Blocks256: nil
        }
    }
}

extension LoadingPlan.Step {
    /// Fills the step's parameters.
    func load(_ source: some TensorSource, checksFinite: Bool) throws {
        switch (form, parameters.count, parameters[0].value.dtype.fileElement) {
        case (.transposed, _, _), (_, 2..., _): try loadThroughFloats(source, checksFinite: checksFinite)
        case (_, _, nil): try loadIntoBlocks(source, checksFinite: checksFinite)
        case (_, _, let element?): try loadDirectly(source, element, checksFinite: checksFinite)
        }
    }

    /// One parameter whose elements stand in the file in order.
    func loadDirectly(_ source: some TensorSource, _ element: TensorElement, checksFinite: Bool) throws {
        let value = parameters[0].value
        try source.forEachPiece(name, as: element, checksFinite: checksFinite) { start, bytes in
            let part = Tensor(
                shape: [bytes.count / element.byteCount], dtype: value.dtype, storage: value.storage,
                byteOffset: value.byteOffset + start * element.byteCount)
            value.backend.upload(bytes, to: part)
        }
    }

    /// One parameter in blocks whose elements stand in the file in order: pieces, which are whole blocks, one after another.
    func loadIntoBlocks(_ source: some TensorSource, checksFinite: Bool) throws {
        let value = parameters[0].value
        try source.forEachPiece(name, as: .float32, checksFinite: checksFinite) { start, bytes in
            let floats = value.backend.empty([bytes.count / 4])
            value.backend.upload(bytes, to: floats)
            let part = Tensor(
                shape: floats.shape, dtype: value.dtype, storage: value.storage,
                byteOffset: value.byteOffset + value.dtype.byteCount(of: start))
            value.backend.convert(floats, into: part)
            if checksFinite { try part.checkScales(source.path, name) }
        }
    }

    /// Several parameters in one tensor, or a transposed one.
    func loadThroughFloats(_ source: some TensorSource, checksFinite: Bool) throws {
        let count = try source.entry(name).count
        var floats = [Float](repeating: 0, count: count)
        try floats.withUnsafeMutableBytes {
            try source.read(name, into: $0, as: .float32, checksFinite: checksFinite)
        }
        if form == .transposed { floats = Self.transposed(floats, columns: try source.entry(name).shape) }
        var start = 0
        for parameter in parameters {
            let value = parameter.value
            let part = Tensor(Array(floats[start..<start + value.count]), shape: value.shape, on: value.backend)
            if value.dtype == .float32 {
                value.backend.copy(part, into: value)
            } else {
                value.backend.convert(part, into: value)
                if checksFinite { try value.checkScales(source.path, name) }
            }
            start += value.count
        }
    }

    /// The elements of a matrix of the shape given, column by column; vectors stay.
    static func transposed(_ values: [Float], columns shape: [Int]) -> [Float] {
        guard shape.count == 2 else { return values }
        let (rows, columns) = (shape[0], shape[1])
        return [Float](unsafeUninitializedCapacity: values.count) { target, initialized in
            for column in 0..<columns {
                for row in 0..<rows { target[column * rows + row] = values[row * columns + column] }
            }
            initialized = values.count
        }
    }
}
