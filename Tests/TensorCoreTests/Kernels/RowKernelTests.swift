import TensorCore
import TestSupport
import Testing

@Suite struct RowKernelTests {
    @Test(arguments: TestBackend.optimized, matrixShapes)
    func gatherAndScatter(_ backend: TestBackend, _ shape: (rows: Int, columns: Int)) {
        let (rows, columns) = shape
        let tableRows: Int32 = 11
        expectLikeReference(backend, "\(shape)") { backend, numbers in
            let table = numbers.window(Int(tableRows), columns, on: backend)
            // Negative indices, and many repeats.
            let indices = Tensor(numbers.integers(rows, in: -3..<tableRows), on: backend)
            let source = numbers.window(rows, columns, on: backend)
            var results: [KernelResult] = []
            for accumulate in [false, true] {
                let gathered = numbers.target(rows, columns, accumulate: accumulate, on: backend)
                backend.gatherRows(table, indices: indices, into: gathered, accumulate: accumulate)
                results.append(("gather, accumulate \(accumulate)", gathered.surroundings, .ofScale(2e-7)))
            }
            let sums = numbers.window(Int(tableRows), columns, on: backend)
            backend.scatterAddRows(source, indices: indices, into: sums)
            results.append(("scatterAdd", sums.surroundings, .forward))
            // No index twice: a cyclic order, every third one dropped.
            let places = (0..<Int32(rows)).map { $0 % 3 == 2 ? -1 : ($0 + 5) % Int32(rows) }
            let placed = numbers.window(rows, columns, on: backend)
            backend.scatterRows(source, indices: Tensor(places, on: backend), into: placed)
            results.append(("scatter", placed.surroundings, .exact))
            return results
        }
    }

    @Test(arguments: TestBackend.optimized, matrixShapes)
    func scatterIntoBFloat16(_ backend: TestBackend, _ shape: (rows: Int, columns: Int)) {
        let (rows, columns) = shape
        expectLikeReference(backend, "\(shape)") { backend, numbers in
            let source = numbers.window(rows, columns, scale: 3, on: backend)
            let table = numbers.tensor([rows + 3, columns + 5], .bfloat16, on: backend)
            let places = (0..<Int32(rows)).map { $0 % 3 == 2 ? -1 : ($0 + 5) % Int32(rows) }
            backend.scatterRows(
                source, indices: Tensor(places, on: backend), into: table.matrix.columns(2..<2 + columns))
            return [("scatter", table.floats, .exact)]
        }
    }

    @Test(arguments: TestBackend.optimized, DType.allCases.filter { $0 != .float32 && $0 != .int32 })
    func gatherFromNarrowTables(_ backend: TestBackend, _ dtype: DType) {
        for columns in dtype.isInBlocks ? [1, 2, 5].map({ $0 * dtype.blockLength }) : [1, 7, 33, 64, 128, 320] {
            expectLikeReference(backend, "\(dtype), \(columns) columns") { backend, numbers in
                let table = numbers.tensor([9, columns], dtype, on: backend)
                let indices = Tensor([8, 0, -1, 3, 3], on: backend)
                var results: [KernelResult] = []
                for accumulate in [false, true] {
                    let gathered = numbers.target(5, columns, accumulate: accumulate, on: backend)
                    backend.gatherRows(table.matrix, indices: indices, into: gathered, accumulate: accumulate)
                    results.append(("accumulate \(accumulate)", gathered.surroundings, .ofScale(2e-7)))
                }
                return results
            }
        }
    }

    @Test(arguments: TestBackend.optimized, [1, 7, 64, 129])
    func means(_ backend: TestBackend, _ columns: Int) {
        expectLikeReference(backend, "\(columns) columns") { backend, numbers in
            let offsets = Tensor([0, 1, 1, 6, 23, 24], on: backend)  // a single row, none, and uneven ones
            let x = numbers.window(24, columns, on: backend)
            let y = numbers.target(5, columns, on: backend)
            backend.meanRows(x, offsets: offsets, into: y)
            var results: [KernelResult] = [("means", y.surroundings, .forward)]
            let dy = numbers.window(5, columns, on: backend)
            for accumulate in [false, true] {
                let dx = numbers.target(24, columns, accumulate: accumulate, on: backend)
                backend.meanRowsGradient(dy, offsets: offsets, into: dx, accumulate: accumulate)
                results.append(("gradient, accumulate \(accumulate)", dx.surroundings, .forward))
            }
            return results
        }
    }

    @Test(arguments: TestBackend.optimized, [1, 2, 7, 16])
    func patches(_ backend: TestBackend, _ patch: Int) {
        for (images, channels, down, across) in [(1, 1, 1, 1), (2, 3, 2, 5), (3, 3, 4, 4)] {
            expectLikeReference(backend, "\(images) pictures of \(down)×\(across) patches of \(patch)") {
                backend, numbers in
                let pictures = numbers.tensor([images, channels, down * patch, across * patch], on: backend)
                let (rows, columns) = (images * down * across, channels * patch * patch)
                let cut = numbers.target(rows, columns, on: backend)
                backend.patches(pictures, patchSize: patch, into: cut)
                var results: [KernelResult] = [("patches", cut.surroundings, .exact)]
                let upstream = numbers.window(rows, columns, on: backend)
                for accumulate in [false, true] {
                    let gradient = numbers.target(pictures.shape, accumulate: accumulate, on: backend)
                    backend.patchesGradient(upstream, patchSize: patch, into: gradient, accumulate: accumulate)
                    results.append(("gradient, accumulate \(accumulate)", gradient.floats, .exact))
                }
                return results
            }
        }
    }
}
