import CPUBackend
import ReferenceBackend
import TensorCore
import TestSupport
import Testing

/// Rows by narrow weights in bfloat16 precision, where rows are rounded to the weights' own coarseness.
@Suite struct StreamedProductTests {
    /// Rounding a row to bfloat16, or to eight bits a block, errs by less than 1/127 of its largest element; over sums
    /// with random signs that stays below a fiftieth of the largest result. A code in the wrong place is off by the whole scale.
    static let tolerance = Tolerance.ofScale(0.02)
    /// Rows of few bits are rounded to themselves; what is left is weights that are widened to bfloat16, half of its last place each.
    static let fewBits = Tolerance.ofScale(0x1p-8)
    static let blockForms = DType.allCases.filter(\.isInBlocks)

    /// Numbers of seven bits: rounding to eight a block, or to bfloat16, keeps them.
    static func ofFewBits(_ values: [Float]) -> [Float] { values.map { ($0 * 64).rounded() / 64 } }

    @Test(arguments: [DType.bfloat16] + blockForms, [1, 3, 16, 17, 31, 63, 200])
    func likeTheReference(_ dtype: DType, _ rows: Int) {
        for threads in [1, 4] {
            for (inner, outputs) in [(64, 1), (96, 40), (128, 33), (192, 40), (576, 130), (1_280, 35)]
            where inner % dtype.blockLength == 0 {
                let backend = CPUBackend(threads: threads, products: .bfloat16)
                expectClose(
                    Self.product(rows, inner, outputs, dtype, on: backend),
                    Self.product(rows, inner, outputs, dtype, on: ReferenceBackend()), Self.fewBits,
                    "\(dtype) \(rows)×\(inner)×\(outputs)")
            }
        }
    }

    /// What follows a product, in its registers or by kernels of its own, whether few rows come or many.
    @Test(arguments: blockForms, [1, 2, 16, 17, 63])
    func linearMaps(_ dtype: DType, _ rows: Int) {
        for (activation, isNarrow) in [(nil, false), (nil, true), (Activation.gelu, true), (.silu, false)] {
            func map(_ backend: any Backend) -> [Float] {
                var numbers = NumberStream(seed: UInt64(rows))
                let x = numbers.window(rows, DType.wholeBlocks, on: backend)
                let weight = numbers.tensor([40, DType.wholeBlocks], dtype, on: backend)
                let (bias, addend) = (numbers.tensor([40], on: backend), numbers.window(rows, 40, on: backend))
                let y = backend.empty([rows, 40], isNarrow ? .bfloat16 : .float32)
                backend.linearMap(
                    x, weight: weight.matrix, bias: bias, addend: addend, activation: activation, into: y.matrix)
                return y.floats
            }
            for threads in [1, 4] {
                expectClose(
                    map(CPUBackend(threads: threads, products: .bfloat16)), map(ReferenceBackend()), Self.tolerance,
                    "\(dtype) \(rows) rows, \(activation as Any), narrow \(isNarrow)")
            }
        }
    }

    @Test(arguments: blockForms)
    func weightsWrittenAnew(_ dtype: DType) {
        let backend = CPUBackend(threads: 2, products: .bfloat16)
        var numbers = NumberStream(seed: 7)
        let columns = dtype.blockLength
        let x = Tensor(Self.ofFewBits(numbers.values(2 * columns)), shape: [2, columns], on: backend)
        let weight = numbers.tensor([20, columns], dtype, on: backend)
        let y = backend.empty([2, 20])
        backend.product(
            x.matrix, transposeA: false, weight.matrix, transposeB: true, alpha: 1, bias: nil, into: y.matrix,
            accumulate: false)
        let before = y.floats
        backend.convert(numbers.tensor([20, columns], on: backend), into: weight)
        backend.product(
            x.matrix, transposeA: false, weight.matrix, transposeB: true, alpha: 1, bias: nil, into: y.matrix,
            accumulate: false)
        #expect(y.floats != before)
        let wide = Tensor(weight.floats, shape: [20, columns], on: backend)
        let expected = backend.empty([2, 20])
        backend.product(
            x.matrix, transposeA: false, wide.matrix, transposeB: true, alpha: 1, bias: nil, into: expected.matrix,
            accumulate: false)
        expectClose(y.floats, expected.floats, Self.fewBits, "after a second conversion")
    }

    /// Where all products want another order of the weights, it takes the plain one's place, in windows and in windows that hold them.
    @Test(arguments: blockForms)
    func oneOrderTakesNoMemory(_ dtype: DType) {
        let backend = CPUBackend(threads: 2, products: .bfloat16)
        guard backend.multipliesBlocks else { return }
        let (rows, columns) = (512, 9 * dtype.blockLength)  // no whole cache lines of scales
        let weight = backend.empty([rows, columns], dtype)
        backend.convert(backend.zeros([rows, columns]), into: weight)
        let before = backend.usedBytes
        for window in [weight.rows(32..<96), weight.rows(64..<128), weight, weight.rows(16..<32)] {
            let x = backend.zeros([1, columns]), y = backend.empty([1, window.shape[0]])
            backend.product(
                x.matrix, transposeA: false, window.matrix, transposeB: true, alpha: 1, bias: nil, into: y.matrix,
                accumulate: false)
        }
        #expect(backend.usedBytes == before)
    }

    /// Rows that are no whole groups are copied, and their own pages go back and are not counted beside the copy, until they are
    /// written again.
    @Test(arguments: blockForms)
    func copiedOrderIsCountedOnce(_ dtype: DType) {
        let backend = CPUBackend(threads: 2, products: .bfloat16)
        guard backend.multipliesBlocks else { return }
        // A copy of more than 16 MB has memory of its own size.
        let (rows, columns) = (32_007, 2 * DType.wholeBlocks)
        let plain = dtype.byteCount(of: rows * columns)
        do {
            let weight = backend.empty([rows, columns], dtype)
            for _ in 0..<2 {
                backend.convert(backend.zeros([rows, columns]), into: weight)
                let before = backend.usedBytes
                for window in [weight, weight.rows(7..<32_000)] {
                    let x = backend.zeros([1, columns]), y = backend.empty([1, window.shape[0]])
                    backend.product(
                        x.matrix, transposeA: false, window.matrix, transposeB: true, alpha: 1, bias: nil,
                        into: y.matrix, accumulate: false)
                    if window.shape[0] == rows { #expect(backend.usedBytes < before + plain / 10) }
                }
            }
        }
        #expect(backend.usedBytes == 0)
    }

    /// Weights that follow each other in memory are multiplied one by one and joined, in any order, read as rows and as numbers, and
    /// written in part: whichever order lies in memory, all see the same numbers.
    ///
    /// Rows in whole groups of 16 are turned in their place, others are copied.
    @Test(arguments: blockForms, [([48, 16, 16], 2), ([48, 16, 7], 2), ([40, 24, 7], 3)])
    func windowsOfOneMemory(_ dtype: DType, _ size: (heights: [Int], blocks: Int)) {
        let backend = CPUBackend(threads: 2, products: .bfloat16)
        let heights = size.heights, total = heights.reduce(0, +), columns = size.blocks * dtype.blockLength
        var numbers = NumberStream(seed: 11)
        let storage = backend.allocate(byteCount: dtype.byteCount(of: total * columns))
        func window(_ rows: Range<Int>) -> Tensor {
            Tensor(
                shape: [rows.count, columns], dtype: dtype, storage: storage,
                byteOffset: dtype.byteCount(of: rows.lowerBound * columns))
        }
        let whole = window(0..<total)
        backend.convert(numbers.tensor([total, columns], on: backend), into: whole)
        var expected = whole.floats
        let x = numbers.tensor([5, columns], on: backend)
        func multiply(_ weight: Tensor) -> [Float] {
            let y = backend.empty([5, weight.shape.rows])
            backend.product(
                x.matrix, transposeA: false, weight.matrix, transposeB: true, alpha: 1, bias: nil, into: y.matrix,
                accumulate: false)
            return y.floats
        }
        func expectSound(_ rows: Range<Int>, _ comment: String) {
            let numbers = Array(expected[rows.lowerBound * columns..<rows.upperBound * columns])
            let wide = Tensor(numbers, shape: [rows.count, columns], on: backend)
            expectClose(multiply(window(rows)), multiply(wide), Self.tolerance, "\(comment), \(rows)")
            #expect(window(rows).floats == numbers, "\(comment), \(rows)")
            let gathered = backend.empty([3, columns])
            let indices = Tensor([Int32(rows.count - 1), -1, 0], on: backend)
            backend.gatherRows(window(rows).matrix, indices: indices, into: gathered.matrix, accumulate: false)
            let zeros = [Float](repeating: 0, count: columns)
            #expect(gathered.floats == numbers.suffix(columns) + zeros + numbers.prefix(columns), "\(comment), \(rows)")
        }
        let (first, second) = (heights[0], heights[0] + heights[1])
        let windows = [0..<first, first..<total, 0..<total, first..<second, second..<total]
        for rows in windows + windows.reversed() { expectSound(rows, "read") }
        let fresh = numbers.tensor([heights[1], columns], on: backend)
        backend.convert(fresh, into: window(first..<second))
        expected.replaceSubrange(first * columns..<second * columns, with: window(first..<second).floats)
        for rows in windows { expectSound(rows, "written") }
        let copy = backend.empty([total, columns], dtype)
        backend.copy(whole, into: copy)
        #expect(copy.floats == expected)
    }

    private static func product(
        _ rows: Int, _ inner: Int, _ outputs: Int, _ dtype: DType, on backend: any Backend
    ) -> [Float] {
        var numbers = NumberStream(seed: UInt64(rows + inner))
        let around = Self.ofFewBits(numbers.values((rows + 2) * (inner + 5)))
        let x = Tensor(around, shape: [rows + 2, inner + 5], on: backend)
            .matrix.rows(1..<rows + 1).columns(3..<inner + 3)
        let weight = numbers.tensor([outputs, inner], dtype, on: backend)
        let y = numbers.window(rows, outputs, on: backend)
        backend.product(
            x, transposeA: false, weight.matrix, transposeB: true, alpha: 1,
            bias: numbers.tensor([outputs], on: backend), into: y, accumulate: true)
        return y.surroundings
    }
}
