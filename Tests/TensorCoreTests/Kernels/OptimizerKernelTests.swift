import ReferenceBackend
import TensorCore
import TestSupport
import Testing

@Suite struct OptimizerKernelTests {
    @Test(arguments: TestBackend.optimized, elementCounts)
    func sumOfSquares(_ backend: TestBackend, _ count: Int) {
        func sum(_ backend: any Backend) -> Double {
            var numbers = NumberStream(seed: 3)
            let tensors = [count, 1, 0, 5].map { numbers.tensor([$0], scale: 64, on: backend) }
            return backend.sumOfSquares(tensors)
        }
        let expected = sum(ReferenceBackend())
        #expect((sum(backend.make()) - expected).magnitude <= 1e-9 * expected, "summed in double")
        #expect(backend.make().sumOfSquares([]) == 0)
    }

    @Test(arguments: TestBackend.optimized, elementCounts)
    func adamW(_ backend: TestBackend, _ count: Int) {
        expectLikeReference(backend, "\(count) weights") { backend, numbers in
            var tensors: [Tensor] = []
            for (length, scale) in [(count, Float(1)), (3, 8)] {
                tensors.append(numbers.tensor([length], scale: scale, on: backend))
                tensors.append(backend.zeros([length]))
                tensors.append(backend.zeros([length]))
            }
            for step in 1...4 {
                let gradients = [count, 3].map { numbers.tensor([$0], scale: step == 2 ? 1e-6 : 4, on: backend) }
                let slices = [0, 1].map { index in
                    AdamWSlice(
                        parameter: tensors[3 * index], gradient: gradients[index], firstMoment: tensors[3 * index + 1],
                        secondMoment: tensors[3 * index + 2], learningRate: index == 0 ? 1e-2 : 3e-3,
                        weightDecay: index == 0 ? 0.1 : 0)
                }
                _ = backend.adamW(
                    slices,
                    settings: AdamWSettings(
                        beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: step, gradientScale: 0.125))
            }
            let names = ["weights", "first moments", "second moments"]
            return tensors.enumerated().map { ("\(names[$0 % 3]) of slice \($0 / 3)", $1.floats, .ofScale(2e-6)) }
        }
    }
}
