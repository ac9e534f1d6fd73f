import Basics
import TensorCore

extension TensorSource {
    /// A tensor as float32, converted from any floating-point type.
    /// - Parameter checksFinite: whether NaN and infinity are errors.
    /// - Throws: ``CheckpointError`` when the tensor is missing or holds integers.
    public func floats(_ name: String, checksFinite: Bool = false) throws -> [Float] {
        let count = try entry(name).count
        return try [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            try read(name, into: UnsafeMutableRawBufferPointer(buffer), as: .float32, checksFinite: checksFinite)
            initialized = count
        }
    }

    /// A tensor of integers or booleans.
    /// - Throws: ``CheckpointError`` when the tensor is missing, holds floats, or a number beyond 64 signed bits.
    public func integers(_ name: String) throws -> [Int] {
        let entry = try entry(name)
        return try withBytes(name) { bytes in
            func all<T: FixedWidthInteger>(_ type: T.Type) throws -> [Int] {
                try (0..<entry.count).map { index in
                    let value = T(
                        littleEndian: bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<T>.size, as: T.self))
                    guard let value = Int(exactly: value) else {
                        throw CheckpointError(.element, path, tensor: name, "\(value) does not fit a signed integer")
                    }
                    return value
                }
            }
            switch entry.element {
            case .int64: return try all(Int64.self)
            case .int32: return try all(Int32.self)
            case .int16: return try all(Int16.self)
            case .int8: return try all(Int8.self)
            case .uint64: return try all(UInt64.self)
            case .uint32: return try all(UInt32.self)
            case .uint16: return try all(UInt16.self)
            case .uint8, .bool: return try all(UInt8.self)
            default:
                throw CheckpointError(
                    .element, path, tensor: name, "holds \(entry.element.rawValue) numbers where integers are wanted")
            }
        }
    }

    /// Reads a tensor into memory in the element type wanted.
    ///
    /// Floating-point types convert into each other with rounding to nearest even; other types must be equal.
    /// - Parameters:
    ///   - buffer: Exactly as many bytes as the tensor takes in the wanted type.
    ///   - checksFinite: Whether NaN and infinity are errors.
    public func read(
        _ name: String, into buffer: UnsafeMutableRawBufferPointer, as wanted: TensorElement,
        checksFinite: Bool = false
    ) throws {
        let entry = try entry(name)
        precondition(
            buffer.count == entry.count * wanted.byteCount,
            "\(name) has \(entry.count) elements; the buffer of \(buffer.count) bytes does not fit \(wanted)")
        try forEachPiece(name, as: wanted, checksFinite: checksFinite) { start, bytes in
            UnsafeMutableRawBufferPointer(rebasing: buffer[(start * wanted.byteCount)...]).copyMemory(from: bytes)
        }
    }

    /// Calls `body` with piece after piece of a tensor in the element type wanted, and the index of its first element.
    ///
    /// Pieces are small enough to stay in the processor's cache between conversion and use, and whole blocks of every form.
    func forEachPiece(
        _ name: String, as wanted: TensorElement, checksFinite: Bool,
        _ body: (_ start: Int, _ bytes: UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let entry = try entry(name)
        let element = entry.element
        guard element == wanted || element.isFloatingPoint && wanted.isFloatingPoint else {
            throw CheckpointError(
                .element, path, tensor: name,
                "holds \(element.rawValue) elements where \(wanted.rawValue) are wanted")
        }
        let length = 85 * DType.wholeBlocks
        let staging = UnsafeMutableRawBufferPointer.allocate(byteCount: length * wanted.byteCount, alignment: 64)
        defer { staging.deallocate() }
        try withBytes(name) { bytes in
            for start in stride(from: 0, to: entry.count, by: length) {
                let end = min(start + length, entry.count)
                var piece = UnsafeRawBufferPointer(
                    rebasing: bytes[start * element.byteCount..<end * element.byteCount])
                if element != wanted {
                    let converted = UnsafeMutableRawBufferPointer(
                        rebasing: staging[..<((end - start) * wanted.byteCount)])
                    FloatConversion.convert(piece, element, into: converted, wanted)
                    piece = UnsafeRawBufferPointer(converted)
                }
                if checksFinite, let index = FloatConversion.firstNonFinite(piece, wanted) {
                    throw CheckpointError.notFinite(
                        path, name, "element \(start + index)", wanted == element ? "" : " in \(wanted.rawValue)")
                }
                try body(start, piece)
            }
        }
    }
}
