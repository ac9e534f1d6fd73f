import TensorCore
import TestSupport
import Testing

@Suite struct MemoryKernelTests {
    @Test(arguments: TestBackend.allCases, elementCounts)
    func roundTripsAndFills(_ backend: TestBackend, _ count: Int) {
        let backend = backend.make()
        var numbers = NumberStream(seed: 1)
        let values = numbers.values(count)
        let tensor = Tensor(values, shape: [count], on: backend)
        #expect(tensor.floats == values)
        #expect(Int(bitPattern: tensor.pointer) % 64 == 0, "memory is aligned to 64 bytes")
        let copy = backend.empty([count])
        backend.copy(tensor, into: copy)
        #expect(copy.floats == values)
        backend.fill(copy, -2.5)
        #expect(copy.floats == Array(repeating: -2.5, count: count))
        #expect(tensor.floats == values, "a copy has memory of its own")
        let integers = numbers.integers(count, in: -5..<1000)
        let indices = Tensor(integers, on: backend)
        let indexCopy = backend.empty([count], .int32)
        backend.copy(indices, into: indexCopy)
        #expect(indexCopy.integers == integers)
    }

    @Test(arguments: TestBackend.optimized, elementCounts)
    func narrowing(_ backend: TestBackend, _ count: Int) {
        let kinds = DType.allCases.filter { $0 != .int32 }
        for (from, to) in kinds.flatMap({ from in kinds.map { (from, $0) } }) {
            let block = from.isInBlocks && to.isInBlocks ? DType.wholeBlocks : max(from.blockLength, to.blockLength)
            let wholeCount = (count + block - 1) / block * block
            expectLikeReference(backend, "\(from) to \(to), \(wholeCount)") { backend, numbers in
                // Exponents from 2^-20 to 2^12, so that rounding falls on every kind of boundary.
                var values = numbers.values(wholeCount)
                for index in values.indices {
                    values[index] *= Float(sign: .plus, exponent: index % 33 - 20, significand: 1.37)
                }
                let wide = Tensor(values, shape: [wholeCount], on: backend)
                let source = backend.empty([wholeCount], from)
                backend.convert(wide, into: source)
                let destination = backend.empty([wholeCount], to)
                backend.convert(source, into: destination)
                return [("values", destination.floats, .exact), ("bytes", bytes(destination), .exact)]
            }
        }
    }

    @Test(arguments: TestBackend.allCases)
    func narrowingOfExtremes(_ backend: TestBackend) {
        let backend = backend.make()
        let values: [Float] = [
            0, -0.0, 65504, 65519, 65520, 3.3895e38, .infinity, -.infinity, 5.9604645e-08, 2.9802322e-08,
            Float(bitPattern: 0x0001_1234),
            1.00390625, 1.01171875, 1.0029297, .greatestFiniteMagnitude,
        ]
        let wide = Tensor(values + [.nan], shape: [values.count + 1], on: backend)
        let half = backend.empty(wide.shape, .float16)
        backend.convert(wide, into: half)
        #expect(half.floats.dropLast() == values.map { Float(Float16($0)) }[...])
        #expect(half.floats.last!.isNaN)
        let brain = backend.empty(wide.shape, .bfloat16)
        backend.convert(wide, into: brain)
        let expected: [Float] = [
            0, -0.0, 65536, 65536, 65536, Float(bitPattern: 0x7F7F_0000), .infinity, -.infinity, 5.9604645e-08,
            2.9802322e-08, Float(bitPattern: 0x0001_0000),
            1, 1.015625, 1, .infinity,
        ]
        expectClose(Array(brain.floats.dropLast()), expected, .exact, "bfloat16")
        #expect(brain.floats.last!.isNaN)
        #expect(brain.floats[1].sign == .minus, "negative zero keeps its sign")
    }

    private func bytes(_ tensor: Tensor) -> [Float] {
        (0..<tensor.dtype.byteCount(of: tensor.count)).map {
            Float(tensor.pointer.load(fromByteOffset: $0, as: UInt8.self))
        }
    }
}
