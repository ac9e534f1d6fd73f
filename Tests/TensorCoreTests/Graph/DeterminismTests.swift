import TensorCore
import TestSupport
import Testing

@Suite struct DeterminismTests {
    /// Results, losses and gradients of the same inputs: the same bits from two back ends with the same number of threads, and twice
    /// from one, whose memory pool is warm by then.
    @Test(arguments: TestBackend.allCases, OperationCase.all)
    func operations(_ backend: TestBackend, _ operation: OperationCase) {
        func run(_ backend: any Backend) -> [[UInt32]] {
            var numbers = NumberStream(seed: 6)
            let parameters = operation.inputs.map {
                Parameter(numbers.tensor(Shape($0.shape), scale: $0.scale, on: backend), decays: false)
            }
            let result = operation.function(parameters.map(\.tensor))
            result.backward()
            return ([result.floats] + parameters.map { $0.gradient?.floats ?? [] }).map { $0.map(\.bitPattern) }
        }
        let one = backend.make()
        let first = run(one)
        #expect(run(one) == first)
        #expect(run(backend.make()) == first)
    }

    /// Large enough for every thread, and for work to be stolen if a back end did such a thing.
    @Test(arguments: TestBackend.optimized)
    func largeStep(_ backend: TestBackend) {
        func run(_ backend: any Backend) -> [[UInt32]] {
            var numbers = NumberStream(seed: 12)
            let x = Parameter(numbers.tensor([517, 192], on: backend), decays: false)
            let norm = Parameter(numbers.tensor([192], on: backend), decays: false)
            let qkv = Parameter(numbers.tensor([3 * 192, 192], scale: 0.125, on: backend), decays: false)
            let head = Parameter(numbers.tensor([701, 192], scale: 0.125, on: backend), decays: false)
            let parameters = [x, norm, qkv, head]
            let mixed = attention(
                linear(rmsNorm(x.tensor, weight: norm.tensor, epsilon: 1e-5), weight: qkv.tensor),
                heads: HeadLayout(queryHeads: 3, keyValueHeads: 3, width: 64),
                segments: AttentionSegments(offsets: [0, 100, 101, 400, 517], isCausal: true))
            let loss = crossEntropy(
                x.tensor + activation(.gelu, mixed), head: head.tensor, labels: (0..<517).map { $0 % 700 - 1 },
                scale: 0.01)
            loss.backward()
            let sum = backend.sumOfSquares(parameters.compactMap(\.gradient))
            return [[loss.scalar.bitPattern, UInt32(truncatingIfNeeded: sum.bitPattern)]]
                + parameters.map { $0.gradient!.floats.map(\.bitPattern) }
        }
        let one = backend.make()
        let first = run(one)
        for _ in 0..<3 { #expect(run(one) == first) }
        #expect(run(backend.make()) == first)
    }
}
