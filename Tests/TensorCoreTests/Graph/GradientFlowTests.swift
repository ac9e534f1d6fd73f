import TensorCore
import TestSupport
import Testing

@Suite struct GradientFlowTests {
    /// d/dx (3x + x + x·x) with x used by several operations: 4 + 2x.
    @Test(arguments: TestBackend.allCases)
    func sharedInputsAccumulate(_ backend: TestBackend) {
        let backend = backend.make()
        let x = Parameter(Tensor([1, -2, 0.5], shape: [3], on: backend), decays: false)
        let y = scaled(x.tensor, by: 3) + x.tensor + multiplied(x.tensor, x.tensor)
        y.backward()
        #expect(x.gradient?.floats == [6, 0, 5])
    }

    /// Gradients of several backward passes add up until they are cleared; the memory stays.
    @Test(arguments: TestBackend.allCases)
    func passesAccumulateUntilCleared(_ backend: TestBackend) {
        let backend = backend.make()
        let x = Parameter(Tensor([1, 2], shape: [2], on: backend), decays: false)
        #expect(x.gradient == nil)
        scaled(x.tensor, by: 2).backward()
        scaled(x.tensor, by: 5).backward()
        #expect(x.gradient?.floats == [7, 7])
        let memory = x.gradient?.pointer
        x.clearGradient()
        #expect(x.gradient == nil)
        scaled(x.tensor, by: 0.5).backward()
        #expect(x.gradient?.floats == [0.5, 0.5])
        #expect(x.gradient?.pointer == memory)
    }

    /// A residual sum hands the same memory to both branches; neither may write into the other's.
    @Test(arguments: TestBackend.allCases)
    func residualBranchesDoNotShareGradients(_ backend: TestBackend) {
        let backend = backend.make()
        let x = Parameter(Tensor([1, 2], shape: [2], on: backend), decays: false)
        let z = Parameter(Tensor([3, 5], shape: [2], on: backend), decays: false)
        // h = x + z, then h + 10 h: dh = 11, reached by adding to a gradient whose memory z's branch may still hold.
        let h = x.tensor + z.tensor
        let result = (h + scaled(h, by: 10)) + z.tensor
        let seed = Tensor([1, 2], shape: [2], on: backend)
        result.backward(seed: seed)
        #expect(x.gradient?.floats == [11, 22])
        #expect(z.gradient?.floats == [12, 24])
        #expect(seed.floats == [1, 2], "the caller's seed is not written over")
    }

    @Test(arguments: TestBackend.allCases)
    func rotationLeavesSharedMemoryAlone(_ backend: TestBackend) {
        let backend = backend.make()
        let x = Parameter(Tensor([1, 0, 0, 1], shape: [2, 2], on: backend), decays: false)
        let quarter = Tensor([0, 1], shape: [1, 2], on: backend)  // cosine, sine
        let places = Tensor([0, 0], on: backend)
        var y = x.tensor
        rotate(&y, columns: 2, headWidth: 2, positions: places, table: quarter)
        #expect(y.floats == [0, 1, -1, 0])
        #expect(x.value.floats == [1, 0, 0, 1], "the parameter's own memory is not turned")
        // The gradient of the sum below reaches the rotation and z in one block of memory.
        let z = Parameter(Tensor([0, 0, 0, 0], shape: [2, 2], on: backend), decays: false)
        let seed = Tensor([5, 7, 1, 2], shape: [2, 2], on: backend)
        (y + z.tensor).backward(seed: seed)
        #expect(z.gradient?.floats == [5, 7, 1, 2])
        #expect(x.gradient?.floats == [7, -5, 2, -1])
        #expect(seed.floats == [5, 7, 1, 2])
    }

    /// The gradient of a long chain is walked without recursion, so depth is no limit.
    @Test func deepChains() {
        let backend = TestBackend.reference.make()
        let x = Parameter(Tensor([1], shape: [1], on: backend), decays: false)
        var y = x.tensor
        for _ in 0..<20_000 { y = y + x.tensor }
        y.backward()
        #expect(x.gradient?.floats == [20_001])
    }
}
