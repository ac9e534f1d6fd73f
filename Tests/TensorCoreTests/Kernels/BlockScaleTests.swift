import CPUBackend
import TensorCore
import TestSupport
import Testing

/// Scales of weights and rows in products with block-form weights, at the ends of what they may be.
@Suite struct BlockScaleTests {
    private static let columns = DType.wholeBlocks

    /// Rows by 20 rows of weights, whose blocks' bytes `change` may alter.
    private static func product(
        _ x: [Float], _ dtype: DType, change: (inout [UInt8]) -> Void = { _ in }
    ) -> (y: [Float], weights: [Float]) {
        let backend = CPUBackend(threads: 2, products: .bfloat16)
        var numbers = NumberStream(seed: 3)
        let weight = numbers.tensor([20, columns], dtype, on: backend)
        var bytes = [UInt8](repeating: 0, count: dtype.byteCount(of: 20 * columns))
        bytes.withUnsafeMutableBytes { backend.download(weight, to: $0) }
        change(&bytes)
        bytes.withUnsafeBytes { backend.upload($0, to: weight) }
        let weights = weight.floats
        let rows = Tensor(x, shape: [x.count / columns, columns], on: backend)
        let y = backend.empty([x.count / columns, 20])
        backend.product(
            rows.matrix, transposeA: false, weight.matrix, transposeB: true, alpha: 1, bias: nil, into: y.matrix,
            accumulate: false)
        return (y.floats, weights)
    }

    private static func rows(_ count: Int, scale: Float = 1) -> [Float] {
        var numbers = NumberStream(seed: 5)
        return numbers.values(count * columns, scale: scale)
    }

    /// A block without a scale is zero, whatever its codes are and however large x is.
    @Test(arguments: StreamedProductTests.blockForms, [1, 2, 7])
    func withoutScale(_ dtype: DType, _ count: Int) {
        for sign in [0x00, 0x80] as [UInt8] {
            for exponent in -30...30 {
                let size = Float(sign: .plus, exponent: exponent, significand: 1)
                let x = StreamedProductTests.ofFewBits(Self.rows(count)).map { $0 * size }
                let (y, weights) = Self.product(x, dtype) { bytes in
                    let row = dtype.byteCount(of: Self.columns)
                    for start in stride(from: 0, to: bytes.count, by: row) {
                        (bytes[start], bytes[start + 1]) = (0, sign)
                    }
                }
                var expected: [Float] = []
                for row in 0..<count {
                    for output in 0..<20 {
                        expected.append(
                            Float(
                                (dtype.blockLength..<Self.columns).reduce(0) {
                                    $0 + Double(x[row * Self.columns + $1])
                                        * Double(weights[output * Self.columns + $1])
                                }))
                    }
                }
                expectClose(y, expected, StreamedProductTests.fewBits, "\(dtype), x of 2^\(exponent)")
            }
        }
    }

    /// Rows are rounded by powers of two: a power of two goes through a product as it is.
    @Test(arguments: StreamedProductTests.blockForms, [1, 2, 7])
    func powersOfTwo(_ dtype: DType, _ count: Int) {
        let x = Self.rows(count)
        let y = Self.product(x, dtype).y
        for exponent in [-60, -20, -1, 5, 38] {
            let factor = Float(sign: .plus, exponent: exponent, significand: 1)
            #expect(Self.product(x.map { $0 * factor }, dtype).y == y.map { $0 * factor }, "2^\(exponent)")
        }
    }

    /// Numbers up to 2^39 have codes; a row with larger ones, or with none, is not a number, and its neighbours are what they were.
    @Test(arguments: StreamedProductTests.blockForms, [1, 2, 7])
    func beyondTheLargest(_ dtype: DType, _ count: Int) {
        for (value, isNumber) in [
            (0x1p38, true), (0x1.fap38, true), (0x1p40, false), (.infinity, false), (.nan, false),
        ] as [(Float, Bool)] {
            var x = Self.rows(count)
            let y = Self.product(x, dtype).y
            x[Self.columns - 1] = value
            let changed = Self.product(x, dtype).y
            #expect(changed.prefix(20).allSatisfy { isNumber ? $0.isFinite : $0.isNaN }, "\(value)")
            #expect(changed.dropFirst(20) == y.dropFirst(20), "\(value)")
        }
    }
}
