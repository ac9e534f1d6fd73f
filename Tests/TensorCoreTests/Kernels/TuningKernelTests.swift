import CPUBackend
import ReferenceBackend
import TensorCore
import TestSupport
import Testing

@Suite struct TuningKernelTests {
    /// Ranks on both sides of the kernels' limits, and off the sizes of their tiles; one product, and three that do not cover y.
    @Test(
        arguments: TestBackend.optimized, [[1], [3], [4], [8], [13], [16], [17], [8, 8, 8], [3, 17, 5], [16, 48, 1]])
    func lowRank(_ backend: TestBackend, _ ranks: [Int]) {
        for (rows, inputs, outputs) in [(0, 5, 3), (1, 1, 1), (5, 7, 33), (37, 129, 64), (530, 96, 48)] {
            expectLikeReference(backend, "ranks \(ranks), \(rows) rows, \(inputs) to \(outputs)") { backend, numbers in
                let x = numbers.window(rows, inputs, on: backend)
                let columns = ranks.count * outputs + (ranks.count > 1 ? 7 : 0)
                let products = products(ranks, inputs, outputs, &numbers, on: backend)
                let hidden = numbers.target([rows, ranks.reduce(0, +)], on: backend)
                let y = numbers.target(rows, columns, accumulate: true, on: backend)
                backend.lowRank(x, products, hidden: hidden, into: y)
                var results: [KernelResult] = [
                    ("hidden", hidden.floats, .forward), ("y", y.surroundings, .forward),
                ]
                let dy = numbers.window(rows, columns, on: backend)
                for accumulate in [false, true] {
                    let destinations = products.map {
                        LowRankDestination(
                            a: (numbers.target($0.a.shape, accumulate: accumulate, on: backend), accumulate),
                            b: (numbers.target($0.b.shape, accumulate: accumulate, on: backend), accumulate))
                    }
                    let dx = numbers.target(rows, inputs, accumulate: accumulate, on: backend)
                    backend.lowRankGradient(
                        x, products, hidden: hidden, gradient: dy, into: destinations, xGradient: (dx, accumulate))
                    for destination in destinations {
                        results += [
                            ("A's gradient", destination.a!.0.floats, .gradient),
                            ("B's gradient", destination.b!.0.floats, .gradient),
                        ]
                    }
                    results.append(("x's gradient", dx.surroundings, .gradient))
                }
                return results
            }
        }
    }

    /// The loops that round factors to bfloat16, on float32 and on bfloat16 rows, are as far from the reference as such factors are.
    @Test(arguments: [1, 4], [[8], [5], [8, 8, 8], [3, 17, 5], [64, 40, 64]])
    func lowRankInBFloat16(threads: Int, _ ranks: [Int]) {
        let narrow = CPUBackend(threads: threads, products: .bfloat16)
        let reference = ReferenceBackend()
        for (rows, inputs, outputs) in [(3, 7, 5), (64, 64, 32), (150, 96, 48), (200, 576, 64)] {
            let types: [DType] = narrow.factorType == .bfloat16 ? [.float32, .bfloat16] : [.float32]
            for dtype in types {
                func run(_ backend: any Backend) -> [[Float]] {
                    var numbers = NumberStream(seed: 5)
                    let columns = ranks.count * outputs + (ranks.count > 1 ? 7 : 0)
                    func rounded(_ count: Int, _ shape: Shape, _ dtype: DType) -> Tensor {
                        let wide = Tensor(numbers.values(count), shape: shape, on: backend)
                        guard dtype == .bfloat16, backend === narrow else { return wide }
                        let result = backend.empty(shape, .bfloat16)
                        backend.convert(wide, into: result)
                        return result
                    }
                    func floats(_ tensor: Tensor) -> [Float] {
                        let wide = backend.empty(tensor.shape)
                        backend.convert(tensor, into: wide)
                        return wide.floats
                    }
                    let x = rounded(rows * inputs, [rows, inputs], dtype)
                    let products = products(ranks, inputs, outputs, &numbers, on: backend)
                    let hidden = backend.empty([rows, ranks.reduce(0, +)])
                    let y = rounded(rows * columns, [rows, columns], dtype)
                    backend.lowRank(x.matrix, products, hidden: hidden, into: y.matrix)
                    let dy = rounded(rows * columns, [rows, columns], dtype)
                    let destinations = products.map {
                        LowRankDestination(
                            a: (backend.empty($0.a.shape), false), b: (backend.empty($0.b.shape), false))
                    }
                    let dx = rounded(rows * inputs, [rows, inputs], dtype)
                    backend.lowRankGradient(
                        x.matrix, products, hidden: hidden, gradient: dy.matrix, into: destinations,
                        xGradient: (dx.matrix, true))
                    return [floats(hidden), floats(y)] + destinations.flatMap { [$0.a!.0.floats, $0.b!.0.floats] }
                        + [floats(dx)]
                }
                for (index, (actual, expected)) in zip(run(narrow), run(reference)).enumerated() {
                    expectClose(actual, expected, .ofScale(0.02), "\(dtype), \(rows) rows, result \(index)")
                }
                #expect(run(narrow) == run(narrow), "the same bits")
            }
        }
    }

    /// Products of one input, side by side from column 0 on.
    private func products(
        _ ranks: [Int], _ inputs: Int, _ outputs: Int, _ numbers: inout NumberStream, on backend: any Backend
    ) -> [LowRankProduct] {
        ranks.enumerated().map { index, rank in
            LowRankProduct(
                a: numbers.tensor([rank, inputs], on: backend), b: numbers.tensor([outputs, rank], on: backend),
                columns: index * outputs..<(index + 1) * outputs, scale: 0.5 + Float(index))
        }
    }

    @Test(arguments: TestBackend.optimized)
    func lowRankGradientsThatNobodyWants(_ backend: TestBackend) {
        for wanted in 0..<8 {
            expectLikeReference(backend, "wanted \(wanted)") { backend, numbers in
                let (x, dy) = (numbers.window(37, 21, on: backend), numbers.window(37, 19, on: backend))
                let products = products([6], 21, 19, &numbers, on: backend)
                let hidden = numbers.tensor([37, 6], on: backend)
                let (da, db) = (
                    numbers.target(products[0].a.shape, on: backend), numbers.target(products[0].b.shape, on: backend)
                )
                let dx = numbers.target(37, 21, on: backend)
                for tensor in [da, db] { backend.fill(tensor, 7) }
                let destination = LowRankDestination(
                    a: wanted & 1 != 0 ? (da, false) : nil, b: wanted & 2 != 0 ? (db, false) : nil)
                backend.lowRankGradient(
                    x, products, hidden: hidden, gradient: dy, into: [destination],
                    xGradient: wanted & 4 != 0 ? (dx, false) : nil)
                var results: [KernelResult] = [("A's", da.floats, .gradient), ("B's", db.floats, .gradient)]
                if wanted & 4 != 0 { results.append(("x's", dx.floats, .gradient)) }
                return results
            }
        }
    }

    /// Counts off the block, the run of blocks and the byte; codes that are every byte.
    @Test(arguments: TestBackend.optimized, [1, 63, 64, 65, 1_023, 70_001])
    func widenedCodes(_ backend: TestBackend, _ count: Int) {
        for isDouble in [false, true] {
            for bits in [4, 8] {
                expectLikeReference(backend, "\(bits) bits, double \(isDouble)") { backend, numbers in
                    let blocks = (count + 63) / 64
                    let codes = Tensor(bytes((count * bits / 8 + 4) / 4, &numbers), on: backend)
                    let values = bits == 4 ? numbers.values(16) : nil
                    let scales: CodedWeights.Scales =
                        isDouble
                        ? .coded(
                            Tensor(bytes((blocks + 3) / 4, &numbers), on: backend),
                            values: numbers.values(256), outer: numbers.tensor([(blocks + 255) / 256 + 1], on: backend))
                        : .plain(numbers.tensor([blocks], on: backend))
                    let result = numbers.target([count], on: backend)
                    backend.widen(CodedWeights(codes: codes, values: values, scales: scales), into: result)
                    return [("values", result.floats, .ofScale(3e-7))]
                }
            }
        }
    }

    /// What is written as bfloat16 is what is written as float32, rounded.
    @Test(arguments: [1, 4], [1, 63, 64, 97, 70_001])
    func widenedCodesInBFloat16(_ threads: Int, _ count: Int) {
        let backend = CPUBackend(threads: threads, products: .bfloat16)
        for bits in [4, 8] {
            var numbers = NumberStream(seed: UInt64(count))
            let codes = Tensor(bytes((count * bits / 8 + 4) / 4, &numbers), on: backend)
            let weights = CodedWeights(
                codes: codes, values: bits == 4 ? numbers.values(16) : nil,
                scales: .plain(numbers.tensor([(count + 63) / 64], on: backend)))
            let (wide, narrow) = (backend.empty([count]), backend.empty([count], .bfloat16))
            backend.widen(weights, into: wide)
            backend.widen(weights, into: narrow)
            let (rounded, expected) = (backend.empty([count], .bfloat16), backend.empty([count]))
            backend.convert(wide, into: rounded)
            backend.convert(rounded, into: expected)
            let actual = backend.empty([count])
            backend.convert(narrow, into: actual)
            #expect(actual.floats == expected.floats, "\(bits) bits")
        }
    }

    /// Numbers of four bytes, each of which is any.
    private func bytes(_ count: Int, _ numbers: inout NumberStream) -> [Int32] {
        (0..<count).map { _ in Int32(truncatingIfNeeded: numbers.next()) }
    }
}
