import CPUBackend
import TensorCore
import TestSupport
import Testing

/// Products with weights that are codes.
@Suite struct CodedProductTests {
    /// Rows of x, rows of each matrix of codes, and their columns: few rows, which weights are streamed past; rows off the panels; matrices that
    /// end within a panel, or within a pair of rows; columns that are no whole blocks, which are widened.
    private static let shapes: [(rows: Int, parts: [Int], columns: Int)] = [
        (1, [1], 64), (17, [5], 64), (70, [33], 128), (150, [31, 1, 64], 64), (200, [96, 40], 192), (129, [12], 96),
        (130, [96], 3_200),
    ]

    @Test(arguments: TestBackend.optimized, shapes)
    func likeReference(_ backend: TestBackend, _ shape: (rows: Int, parts: [Int], columns: Int)) {
        for (bits, isDouble) in [(4, true), (4, false), (8, true)] {
            expectLikeReference(backend, "\(shape), \(bits) bits, double \(isDouble)") { backend, numbers in
                let weight = Self.weight(shape.parts, shape.columns, bits, isDouble, &numbers, on: backend)
                let x = numbers.window(shape.rows, shape.columns, on: backend)
                let (bias, addend) = (
                    numbers.tensor([weight.rows], on: backend), numbers.window(shape.rows, weight.rows, on: backend)
                )
                let y = numbers.target(shape.rows, weight.rows, on: backend)
                backend.codedProduct(
                    x, weight, transposed: true, bias: bias, addend: addend, into: y, accumulate: false)
                let dy = numbers.window(shape.rows, weight.rows, on: backend)
                let dx = numbers.target(shape.rows, shape.columns, accumulate: true, on: backend)
                backend.codedProduct(dy, weight, transposed: false, bias: nil, addend: nil, into: dx, accumulate: true)
                return [("y", y.surroundings, .forward), ("dx", dx.surroundings, .gradient)]
            }
        }
    }

    /// In bfloat16 the bits are those of widened weights, from either type and into either.
    @Test(arguments: [1, 4], shapes)
    func bitsOfWidenedWeights(_ threads: Int, _ shape: (rows: Int, parts: [Int], columns: Int)) {
        let backend = CPUBackend(threads: threads, products: .bfloat16)
        let types: [DType] = backend.factorType == .bfloat16 ? [.float32, .bfloat16] : [.float32]
        for (from, to) in types.flatMap({ from in types.map { (from, $0) } }) {
            for isDouble in [false, true] {
                var numbers = NumberStream(seed: UInt64(shape.rows))
                let weight = Self.weight(shape.parts, shape.columns, 4, isDouble, &numbers, on: backend)
                let addend = numbers.tensor([shape.rows, weight.rows], on: backend)
                for transposed in [true, false] {
                    let (terms, columns) = transposed ? (weight.columns, weight.rows) : (weight.rows, weight.columns)
                    let a = backend.empty([shape.rows, terms], from)
                    backend.convert(numbers.tensor([shape.rows, terms], on: backend), into: a)
                    func result(_ multiply: (Matrix) -> Void) -> [Float] {
                        let c = backend.empty([shape.rows, columns], to)
                        multiply(c.matrix)
                        return c.floats
                    }
                    let direct = result {
                        backend.codedProduct(
                            a.matrix, weight, transposed: transposed, bias: nil,
                            addend: transposed ? addend.matrix : nil, into: $0, accumulate: false)
                    }
                    let widened = result {
                        backend.codedProductByWidening(
                            a.matrix, weight, transposed: transposed, bias: nil,
                            addend: transposed ? addend.matrix : nil, into: $0, accumulate: false)
                    }
                    #expect(direct == widened, "\(from) to \(to), double \(isDouble), transposed \(transposed)")
                }
            }
        }
    }

    /// Matrices of any codes, one above the other.
    private static func weight(
        _ parts: [Int], _ columns: Int, _ bits: Int, _ isDouble: Bool, _ numbers: inout NumberStream,
        on backend: any Backend
    ) -> CodedMatrix {
        let matrices = parts.map { rows in
            let count = rows * columns
            let blocks = (count + CodedWeights.blockLength - 1) / CodedWeights.blockLength
            let codes = bytes((count * bits / 8 + 3) / 4, &numbers, on: backend)
            let values = bits == 4 ? numbers.values(16) : nil
            let scales: CodedWeights.Scales =
                isDouble
                ? .coded(
                    bytes((blocks + 3) / 4, &numbers, on: backend), values: numbers.values(256),
                    outer: numbers.tensor([(blocks + 255) / 256 + 1], on: backend))
                : .plain(numbers.tensor([blocks], on: backend))
            return (CodedWeights(codes: codes, values: values, scales: scales), rows)
        }
        return CodedMatrix(matrices, columns: columns)
    }

    private static func bytes(_ count: Int, _ numbers: inout NumberStream, on backend: any Backend) -> Tensor {
        Tensor((0..<count).map { _ in Int32(truncatingIfNeeded: numbers.next()) }, on: backend)
    }
}
