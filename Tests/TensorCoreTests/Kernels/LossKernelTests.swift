import TensorCore
import TestSupport
import Testing

@Suite struct LossKernelTests {
    @Test(arguments: TestBackend.optimized, matrixShapes)
    func crossEntropyAndSoftmax(_ backend: TestBackend, _ shape: (rows: Int, columns: Int)) {
        let (rows, columns) = shape
        for scale in [nil, Float(0.25)] {
            expectLikeReference(backend, "\(shape), gradient scale \(String(describing: scale))") { backend, numbers in
                let logits = numbers.window(rows, columns, scale: 16, on: backend)
                // −100 and −1 both mean "no loss here".
                let labels = numbers.integers(rows, in: -2..<Int32(columns)).map { $0 == -2 ? -100 : $0 }
                let losses = backend.empty([rows])
                backend.softmaxCrossEntropy(
                    logits, labels: Tensor(labels, on: backend), losses: losses, gradientScale: scale)
                let probabilities = numbers.window(rows, columns, scale: 16, on: backend)
                backend.softmax(probabilities)
                return [
                    ("losses", losses.floats, .forward), ("logits", logits.surroundings, .ofScale(1e-6)),
                    ("gradients", scale == nil ? [] : logits.floats, .gradient),
                    ("probabilities", probabilities.floats, .forward),
                    ("around the probabilities", probabilities.surroundings, .ofScale(1e-5)),
                ]
            }
        }
    }

    /// Logits near ±1000 overflow without the subtraction of the maximum.
    @Test(arguments: TestBackend.optimized)
    func largeLogits(_ backend: TestBackend) {
        expectLikeReference(backend) { backend, numbers in
            let logits = numbers.tensor([5, 67], scale: 1024, on: backend)
            let probabilities = backend.empty([5, 67])
            backend.copy(logits, into: probabilities)
            backend.softmax(probabilities.matrix)
            let losses = backend.empty([5])
            let labels = Tensor([0, 66, 5, -1, 8], on: backend)
            backend.softmaxCrossEntropy(logits.matrix, labels: labels, losses: losses, gradientScale: 1)
            return [
                ("losses", losses.floats, .forward), ("gradients", logits.floats, .gradient),
                ("probabilities", probabilities.floats, .forward),
            ]
        }
    }

    @Test(arguments: TestBackend.optimized, [[1, 1], [2, 2], [7, 3], [33, 70], [64, 64]])
    func pairwiseSigmoid(_ backend: TestBackend, _ shape: [Int]) {
        for (temperature, bias) in [(Float(10), Float(-10)), (1, 0), (100, 3)] {
            expectLikeReference(backend, "\(shape) pairs, temperature \(temperature), bias \(bias)") {
                backend, numbers in
                let similarities = numbers.tensor([shape[0], shape[1]], on: backend)
                let losses = backend.empty([shape[0]])
                let signs = (0..<shape[0] * shape[1]).map { $0 % 5 == 0 || $0 % 7 == 3 ? Float(1) : -1 }
                let targets = Tensor(signs, shape: [shape[0], shape[1]], on: backend)
                backend.pairwiseSigmoidLoss(
                    similarities.matrix, targets: targets.matrix, temperature: temperature, bias: bias, losses: losses)
                return [("losses", losses.floats, .forward), ("gradients", similarities.floats, .gradient)]
            }
        }
    }
}
