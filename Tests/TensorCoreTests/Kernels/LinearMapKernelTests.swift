import CPUBackend
import TensorCore
import TestSupport
import Testing

/// Linear maps with what follows them, and results stored in bfloat16.
@Suite struct LinearMapKernelTests {
    /// Rows, inputs and outputs: few rows that stream the weights, rows off the tiles, sums that are come by more than once.
    private static let shapes: [(rows: Int, inputs: Int, outputs: Int)] = [
        (1, 1, 1), (3, 17, 5), (16, 64, 33), (17, 31, 47), (67, 129, 96), (33, 1_100, 65), (200, 64, 32),
    ]

    @Test(arguments: TestBackend.optimized, shapes)
    func everyCombination(_ backend: TestBackend, _ shape: (rows: Int, inputs: Int, outputs: Int)) {
        for activation in [nil, Activation.gelu, .geluTanh, .silu] {
            for (hasBias, hasAddend) in [(false, false), (true, false), (false, true), (true, true)] {
                expectLikeReference(backend, "\(shape), \(activation as Any), bias \(hasBias), addend \(hasAddend)") {
                    backend, numbers in
                    let x = numbers.window(shape.rows, shape.inputs, on: backend)
                    let weight = numbers.window(shape.outputs, shape.inputs, on: backend)
                    let bias = numbers.tensor([shape.outputs], on: backend)
                    let addend = numbers.window(shape.rows, shape.outputs, on: backend)
                    let y = numbers.target(shape.rows, shape.outputs, on: backend)
                    backend.linearMap(
                        x, weight: weight, bias: hasBias ? bias : nil, addend: hasAddend ? addend : nil,
                        activation: activation, into: y)
                    return [("y", y.surroundings, .forward)]
                }
            }
        }
    }

    /// Factors that bfloat16 holds exactly: what is left is the rounding of sums, and of the result where it is stored narrow.
    @Test(arguments: [1, 4], shapes)
    func inBFloat16(_ threads: Int, _ shape: (rows: Int, inputs: Int, outputs: Int)) {
        for (activation, isNarrow) in [(nil, false), (nil, true), (Activation.gelu, true), (.silu, false)] {
            func result(_ backend: any Backend) -> [Float] {
                var numbers = NumberStream(seed: 9)
                func whole(_ rows: Int, _ columns: Int) -> Tensor {
                    let values = numbers.integers(rows * columns, in: -8..<9).map { Float($0) / 8 }
                    return Tensor(values, shape: [rows, columns], on: backend)
                }
                let x = whole(shape.rows, shape.inputs)
                let weight = whole(shape.outputs, shape.inputs)
                let (bias, addend) = (whole(1, shape.outputs), whole(shape.rows, shape.outputs))
                let y = backend.empty([shape.rows, shape.outputs], isNarrow ? .bfloat16 : .float32)
                backend.linearMap(
                    x.matrix, weight: weight.matrix, bias: bias.reshaped([shape.outputs]), addend: addend.matrix,
                    activation: activation, into: y.matrix)
                return y.floats
            }
            // A sum next to the middle between two bfloat16 numbers may fall to either.
            expectClose(
                result(CPUBackend(threads: threads, products: .bfloat16)), result(TestBackend.reference.make()),
                isNarrow ? .ofScale(4e-3) : .forward, "\(shape), \(activation as Any), narrow \(isNarrow)")
        }
    }

    /// Norms and activation functions store the same numbers, rounded once.
    @Test(arguments: TestBackend.allCases, matrixShapes)
    func narrowResultsAreRoundedWideOnes(_ backend: TestBackend, _ shape: (rows: Int, columns: Int)) {
        let backend = backend.make()
        var numbers = NumberStream(seed: 3)
        let columns = shape.columns / 2 * 2
        let x = numbers.tensor([shape.rows, columns], scale: 4, on: backend)
        let (weight, bias) = (numbers.tensor([columns], on: backend), numbers.tensor([columns], on: backend))
        func expectRounded(_ name: String, _ result: Shape, _ kernel: (Tensor) -> Void) {
            let (wide, narrow) = (backend.empty(result), backend.empty(result, .bfloat16))
            kernel(wide)
            kernel(narrow)
            let rounded = backend.empty(result, .bfloat16)
            backend.convert(wide, into: rounded)
            // The reference back end rounds from double at once.
            expectClose(
                narrow.floats, rounded.floats, backend.name == "cpu" ? .exact : .ofScale(8e-3), "\(name) \(shape)")
        }
        expectRounded("layer norm", x.shape) {
            backend.layerNorm(
                x.matrix, weight: weight, bias: bias, epsilon: 1e-5, into: $0.matrix,
                statistics: backend.empty([shape.rows, 2]))
        }
        expectRounded("RMS norm", x.shape) {
            backend.rmsNorm(
                x.matrix, weight: weight, epsilon: 1e-5, into: $0.matrix, statistics: backend.empty([shape.rows]))
        }
        for function in [Activation.gelu, .silu] {
            expectRounded("\(function)", x.shape) { backend.activation(function, x, into: $0) }
            expectRounded("gated \(function)", [shape.rows, columns / 2]) {
                backend.gatedActivation(function, x.matrix, into: $0.matrix)
            }
        }
    }
}
