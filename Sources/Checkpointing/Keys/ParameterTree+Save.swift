import Basics
public import NeuralNetwork
import TensorCore

extension ParameterTree {
    /// Writes every parameter under its public key, in shards with an index when they are large.
    ///
    /// - Parameters:
    ///   - folder: Where to. For a folder that changes all at once, the path of an `AtomicDirectory`.
    ///   - table: The family's keys; every parameter must have one.
    ///   - element: The element type; nil keeps that of each parameter (block forms become float32).
    ///   - keepsBlocks: Whether block forms are written as they are, as bytes, which only this project reads.
    ///   - constants: Vectors besides the parameters that the family's own loader wants to find.
    ///   - shardLimit: The largest file in bytes.
    ///   - beforeEach: Called before each tensor; what it throws ends the writing.
    /// - Returns: The names of the files written.
    @discardableResult
    public func save(
        to folder: String, table: KeyTable, element: TensorElement? = nil, keepsBlocks: Bool = false,
        stem: String = "model", constants: [(key: String, values: [Float])] = [],
        shardLimit: Int = CheckpointWriter.defaultShardLimit, beforeEach: () throws -> Void = {}
    ) throws -> [String] {
        var parameters: [String: Parameter] = [:]
        for (path, parameter) in entries { parameters[path] = parameter }
        var descriptions: [TensorDescription] = []
        var places: [String: (form: KeyRule.Form, parts: [Parameter])] = [:]
        for (path, parameter) in entries {
            guard let place = table.place(ofParameter: path) else {
                preconditionFailure("the key table has no rule for the parameter \(path)")
            }
            guard places[place.key] == nil else { continue }
            let parts = place.paths.compactMap { parameters[$0] }
            precondition(
                parts.count == place.paths.count, "\(place.key) holds \(place.paths), not all of which are there")
            places[place.key] = (place.form, parts)
            if keepsBlocks, parts.count == 1, place.form == .same, let shape = parts[0].fileBlockShape {
                descriptions.append(TensorDescription(name: place.key, element: .uint8, shape: shape))
                continue
            }
            descriptions.append(
                TensorDescription(
                    name: place.key, element: element ?? parameter.value.dtype.fileElement ?? .float32,
                    shape: LoadingPlan.fileShape(of: parts.map(\.shape.dimensions), place.form)))
        }
        for (key, values) in constants {
            descriptions.append(TensorDescription(name: key, element: element ?? .float32, shape: [values.count]))
        }
        return try CheckpointWriter.write(descriptions, to: folder, stem: stem, shardLimit: shardLimit) {
            description, take in
            try beforeEach()
            if let constant = constants.first(where: { $0.key == description.name }) {
                return try Self.withBytes(of: constant.values, description, take)
            }
            guard let (form, parts) = places[description.name] else { return }
            try Self.withBytes(parts, form, description, take)
        }
    }

    /// Gives the bytes of a vector as the file wants them.
    private static func withBytes(
        of values: [Float], _ description: TensorDescription, _ take: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: description.byteCount, alignment: 64)
        defer { buffer.deallocate() }
        values.withUnsafeBytes { FloatConversion.convert($0, .float32, into: buffer, description.element) }
        try take(UnsafeRawBufferPointer(buffer))
    }

    /// Gives the bytes of one tensor as the file wants them.
    private static func withBytes(
        _ parts: [Parameter], _ form: KeyRule.Form, _ description: TensorDescription,
        _ take: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: description.byteCount, alignment: 64)
        defer { buffer.deallocate() }
        let isAsItIs = description.element == .uint8 || parts[0].value.dtype.fileElement == description.element
        if parts.count == 1, form != .transposed, isAsItIs {
            parts[0].value.backend.download(parts[0].value, to: buffer)
        } else {
            var floats = parts.count == 1 ? parts[0].value.floats : parts.flatMap(\.value.floats)
            if form == .transposed {
                // The file's rows are this matrix's columns.
                floats = LoadingPlan.Step.transposed(floats, columns: description.shape.reversed())
            }
            floats.withUnsafeBytes { FloatConversion.convert($0, .float32, into: buffer, description.element) }
        }
        try take(UnsafeRawBufferPointer(buffer))
    }
}
