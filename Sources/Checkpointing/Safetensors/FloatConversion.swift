import Basics

/// Conversion between the floating-point types of files, on whole tensors.
enum FloatConversion {
    /// Converts `source` into `target`, which holds as many elements. Equal types are copied, whatever they are.
    static func convert(
        _ source: UnsafeRawBufferPointer, _ from: TensorElement, into target: UnsafeMutableRawBufferPointer,
        _ to: TensorElement
    ) {
        if from == to {
            target.copyMemory(from: source)
            return
        }
        switch from {
        case .float32: narrow(source, into: target, to) { Float(bitPattern: $0 as UInt32) }
        case .bfloat16: narrow(source, into: target, to) { HalfFloat.float(fromBFloat16: $0) }
        case .float16: narrow(source, into: target, to) { HalfFloat.float(fromFloat16: $0) }
        case .float64: narrow(source, into: target, to) { Float(Double(bitPattern: $0)) }
        default: preconditionFailure("\(from) does not convert to \(to)")
        }
    }

    @inline(__always)
    private static func narrow<Source: FixedWidthInteger>(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer, _ to: TensorElement,
        _ widen: (Source) -> Float
    ) {
        switch to {
        case .float32: map(source, target) { (bits: Source) in widen(bits).bitPattern }
        case .bfloat16: map(source, target) { (bits: Source) in HalfFloat.bfloat16(from: widen(bits)) }
        case .float16: map(source, target) { (bits: Source) in HalfFloat.float16(from: widen(bits)) }
        case .float64: map(source, target) { (bits: Source) in Double(widen(bits)).bitPattern }
        default: preconditionFailure("floats do not convert to \(to)")
        }
    }

    /// Elements may be unaligned on both sides: headers of any length are legal.
    @inline(__always)
    private static func map<Source: FixedWidthInteger, Target: FixedWidthInteger>(
        _ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer, _ body: (Source) -> Target
    ) {
        guard let source = source.baseAddress, let base = target.baseAddress else { return }
        for index in 0..<target.count / MemoryLayout<Target>.size {
            let value = source.loadUnaligned(fromByteOffset: index * MemoryLayout<Source>.size, as: Source.self)
            base.storeBytes(
                of: body(Source(littleEndian: value)).littleEndian, toByteOffset: index * MemoryLayout<Target>.size,
                as: Target.self)
        }
    }

    /// Whether two ranges hold the same bytes, compared eight at a time.
    static func areEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        guard a.count == b.count else { return false }
        let whole = a.count / 8 * 8
        for offset in stride(from: 0, to: whole, by: 8) {
            let x = a.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            if x != b.loadUnaligned(fromByteOffset: offset, as: UInt64.self) { return false }
        }
        return a[whole...].elementsEqual(b[whole...])
    }

    /// The index of the first element that is NaN or infinite; nil when all are finite or the type has no such values.
    static func firstNonFinite(_ bytes: UnsafeRawBufferPointer, _ element: TensorElement) -> Int? {
        switch element {
        case .float64: first(bytes, exponent: 0x7FF0_0000_0000_0000 as UInt64)
        case .float32: first(bytes, exponent: 0x7F80_0000 as UInt32)
        case .bfloat16: first(bytes, exponent: 0x7F80 as UInt16)
        case .float16: first(bytes, exponent: 0x7C00 as UInt16)
        default: nil
        }
    }

    private static func first<Bits: FixedWidthInteger & UnsignedInteger>(
        _ bytes: UnsafeRawBufferPointer, exponent: Bits
    ) -> Int? {
        let size = MemoryLayout<Bits>.size
        let count = bytes.count / size
        guard let base = bytes.baseAddress else { return nil }
        // One step of the exponent more carries into the sign bit exactly when all its bits are set, and no further, so
        // several elements are looked at as one word.
        let step = exponent & (~exponent &+ 1)
        let (exponents, steps) = (repeated(exponent), repeated(step))
        let (lanes, block) = (8 / size, 4096)
        for start in stride(from: 0, to: count, by: block) {
            let end = min(count, start + block)
            let whole = start + (end - start) / lanes * lanes
            var words: UInt64 = 0
            for index in stride(from: start, to: whole, by: lanes) {
                words |= (base.loadUnaligned(fromByteOffset: index * size, as: UInt64.self) & exponents) &+ steps
            }
            var found: Bits = words & repeated(~(Bits.max >> 1)) == 0 ? 0 : ~0
            for index in whole..<end {
                found |= (base.loadUnaligned(fromByteOffset: index * size, as: Bits.self) & exponent) &+ step
            }
            if found.leadingZeroBitCount == 0 {
                return (start..<count).first { index in
                    base.loadUnaligned(fromByteOffset: index * size, as: Bits.self) & exponent == exponent
                }
            }
        }
        return nil
    }

    /// The same bits in every lane of a word.
    private static func repeated<Bits: FixedWidthInteger & UnsignedInteger>(_ bits: Bits) -> UInt64 {
        stride(from: 0, to: 64, by: Bits.bitWidth).reduce(0) { $0 | UInt64(bits) << UInt64($1) }
    }
}
