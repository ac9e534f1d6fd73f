import TensorCore
import TestSupport
import Testing

@Suite struct FiniteDifferenceTests {
    @Test(arguments: TestBackend.allCases, OperationCase.all)
    func gradient(_ backend: TestBackend, _ operation: OperationCase) {
        expectGradients(
            of: operation.inputs, on: backend.make(), operation.testDescription, operation.function)
    }

    /// An operation used twice adds to gradients that are already there.
    @Test(arguments: TestBackend.allCases, OperationCase.all)
    func gradientOfTwoUses(_ backend: TestBackend, _ operation: OperationCase) {
        let backend = backend.make()
        func gradients(uses: Int) -> [[Float]] {
            var numbers = NumberStream(seed: 5)
            let parameters = operation.inputs.map {
                Parameter(numbers.tensor(Shape($0.shape), scale: $0.scale, on: backend), decays: false)
            }
            var sum = operation.function(parameters.map(\.tensor))
            for _ in 1..<uses { sum = sum + operation.function(parameters.map(\.tensor)) }
            let upstream = sum.count == 1 ? [1] : numbers.values(sum.count)
            sum.backward(seed: Tensor(upstream, shape: sum.shape, on: backend))
            return parameters.map { $0.gradient?.floats ?? [] }
        }
        let twice = gradients(uses: 2)
        for (index, once) in gradients(uses: 1).enumerated() {
            expectClose(
                twice[index], once.map { 2 * $0 }, .ofScale(1e-6),
                "\(operation.testDescription), gradient of \(operation.inputs[index].name)")
        }
    }
}
