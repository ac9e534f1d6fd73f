import TensorCore

extension Tensor {
    /// Element `index` in row-major order, widened or dequantised.
    func element(_ index: Int) -> Double {
        switch dtype {
        case .float32: Double(pointer.load(fromByteOffset: 4 * index, as: Float.self))
        case .float16: Double(Float16(bitPattern: pointer.load(fromByteOffset: 2 * index, as: UInt16.self)))
        case .bfloat16:
            Double(Float(bitPattern: UInt32(pointer.load(fromByteOffset: 2 * index, as: UInt16.self)) << 16))
        case .int32: Double(pointer.load(fromByteOffset: 4 * index, as: Int32.self))
        case .int4Blocks: BlockFormat.int4Element(index, at: pointer)
        case .int8Blocks64, .int8Blocks128, .int8Blocks192, .int8Blocks256:
            BlockFormat.int8Element(index, dtype, at: pointer)
        }
    }

    /// Stores one element, rounded to the nearest that the dtype has, ties to even.
    func setElement(_ index: Int, _ value: Double) {
        switch dtype {
        case .float32: pointer.storeBytes(of: Float(value), toByteOffset: 4 * index, as: Float.self)
        case .float16: pointer.storeBytes(of: Float16(value).bitPattern, toByteOffset: 2 * index, as: UInt16.self)
        case .bfloat16: pointer.storeBytes(of: bfloat16(value), toByteOffset: 2 * index, as: UInt16.self)
        case .int32: pointer.storeBytes(of: Int32(value), toByteOffset: 4 * index, as: Int32.self)
        case .int4Blocks, .int8Blocks64, .int8Blocks128, .int8Blocks192, .int8Blocks256:
            preconditionFailure("\(dtype) is written a block at a time")
        }
    }

    /// destination = value (+ destination).
    func setElement(_ index: Int, _ value: Double, accumulate: Bool) {
        setElement(index, accumulate ? element(index) + value : value)
    }

    /// An index stored as int32.
    func index(_ position: Int) -> Int { Int(intPointer[position]) }
}

extension Matrix {
    /// One element of the window.
    subscript(row: Int, column: Int) -> Double { tensor.element(offset + row * rowStride + column) }

    /// Stores one element of the window: value (+ what is there).
    func set(_ row: Int, _ column: Int, _ value: Double, accumulate: Bool = false) {
        tensor.setElement(offset + row * rowStride + column, value, accumulate: accumulate)
    }

    /// One row, widened.
    func row(_ row: Int) -> [Double] { (0..<columns).map { self[row, $0] } }
}

/// Σ a[i] b[i].
func dot(_ a: [Double], _ b: [Double]) -> Double {
    var sum = 0.0
    for index in a.indices { sum += a[index] * b[index] }
    return sum
}

/// The upper half of a float32, rounded to nearest even; NaN stays NaN.
private func bfloat16(_ value: Double) -> UInt16 {
    let float = Float(value)
    let bits = float.bitPattern
    if float.isNaN { return UInt16(bits >> 16) | 0x0040 }
    return UInt16((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
}
