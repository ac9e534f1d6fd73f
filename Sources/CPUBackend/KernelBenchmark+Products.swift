import TensorCore

extension KernelBenchmark {
    /// Products of a decoder of 576 columns over 1,024 tokens, and of a vision tower of 768 over 784 patches: forward, and the
    /// gradients of input and weight.
    mutating func measureProducts() {
        let shapes = [
            (1_024, 960, 576), (1_024, 3_072, 576), (1_024, 576, 1_536), (784, 3_072, 768), (784, 768, 3_072),
        ]
        let backend = backend
        for (rows, outputs, inputs) in shapes {
            let (x, weight, y) = (
                numbers([rows, inputs]), numbers([outputs, inputs]), backend.empty([rows, outputs])
            )
            let operations = 2 * Double(rows * outputs * inputs)
            let bytes = 4 * Double(x.count + weight.count + y.count)
            func measured(_ name: String, _ call: () -> Void) {
                measure(
                    "product \(name) \(rows)x\(outputs)x\(inputs)", bytes: bytes, operations: operations,
                    precision: backend.products, call)
            }
            measured("forward") {
                backend.product(
                    x.matrix, transposeA: false, weight.matrix, transposeB: true, alpha: 1, bias: nil, into: y.matrix,
                    accumulate: false)
            }
            measured("input gradient") {
                backend.product(
                    y.matrix, transposeA: false, weight.matrix, transposeB: false, alpha: 1, bias: nil, into: x.matrix,
                    accumulate: false)
            }
            measured("weight gradient") {
                backend.product(
                    y.matrix, transposeA: true, x.matrix, transposeB: false, alpha: 1, bias: nil, into: weight.matrix,
                    accumulate: false)
            }
        }
    }

    /// Few rows by 100 million weights in every form that the precision can stream; reading the weights is the floor.
    mutating func measureStreams() {
        let (outputs, inputs) = (65_536, 1_536)
        let forms: [DType] = backend.products == .bfloat16 ? [.bfloat16, .int8Blocks256, .int4Blocks] : [.float32]
        let backend = backend
        let full = backend.empty([outputs, inputs])
        backend.fill(full, 0.5)
        for form in forms {
            var weights = full
            if form != .float32 {
                weights = backend.empty([outputs, inputs], form)
                backend.convert(full, into: weights)
            }
            for rows in [1, 16] {
                let (x, y) = (numbers([rows, inputs]), backend.empty([rows, outputs]))
                measure(
                    "stream \(form), \(rows) of \(inputs) by \(outputs)",
                    bytes: Double(form.byteCount(of: weights.count)) + 4 * Double(x.count + y.count),
                    operations: 2 * Double(rows * outputs * inputs), precision: backend.products
                ) {
                    backend.product(
                        x.matrix, transposeA: false, weights.matrix, transposeB: true, alpha: 1, bias: nil,
                        into: y.matrix, accumulate: false)
                }
            }
        }
    }
}
