import TensorCore
import TestSupport
import Testing

@Suite struct RecomputationTests {
    /// A small block with everything that a transformer's has: a norm, attention, dropout, a residual sum, a gated layer.
    private struct Block {
        let norm, qkv, output, gate: Parameter

        init(_ numbers: inout NumberStream, on backend: any Backend) {
            func parameter(_ shape: Shape) -> Parameter {
                Parameter(numbers.tensor(shape, on: backend), decays: true)
            }
            norm = parameter([8])
            qkv = parameter([16, 8])
            output = parameter([8, 8])
            gate = parameter([16, 8])
        }

        var parameters: [Parameter] { [norm, qkv, output, gate] }

        func callAsFunction(_ x: Tensor) -> Tensor {
            let mixed = attention(
                linear(rmsNorm(x, weight: norm.tensor, epsilon: 1e-5), weight: qkv.tensor),
                heads: HeadLayout(queryHeads: 2, keyValueHeads: 1, width: 4),
                segments: AttentionSegments(offsets: [0, 3, 11], isCausal: true))
            let h = x + dropout(linear(mixed, weight: output.tensor), rate: 0.25, seed: 77)
            return h + gatedActivation(.silu, linear(h, weight: gate.tensor))
        }
    }

    @Test(arguments: TestBackend.allCases)
    func recomputedGradientsHaveTheSameBits(_ backend: TestBackend) {
        let backend = backend.make()
        func run(_ recomputes: Bool) -> (loss: [Float], gradients: [[Float]]) {
            var numbers = NumberStream(seed: 8)
            let x = Parameter(numbers.tensor([11, 8], on: backend), decays: false)
            let blocks = (0..<3).map { _ in Block(&numbers, on: backend) }
            var h = x.tensor
            for block in blocks { h = recomputes ? recomputed(h) { block($0) } : block(h) }
            let loss = crossEntropy(logits: h, labels: (0..<11).map { $0 % 9 - 1 }, scale: 0.1)
            loss.backward()
            return (loss.floats, ([x] + blocks.flatMap(\.parameters)).map { $0.gradient?.floats ?? [] })
        }
        let (plain, again) = (run(false), run(true))
        #expect(plain.loss == again.loss)
        #expect(plain.gradients == again.gradients)
        #expect(plain.gradients.allSatisfy { $0.contains { $0 != 0 } })
    }

    /// The first block's input wants no gradient, its weights do.
    @Test func parametersBehindAPlainInput() {
        let backend = TestBackend.reference.make()
        var numbers = NumberStream(seed: 8)
        let x = numbers.tensor([11, 8], on: backend)
        let block = Block(&numbers, on: backend)
        recomputed(x) { block($0) }.backward()
        let recomputedGradients = block.parameters.map { $0.gradient?.floats ?? [] }
        for parameter in block.parameters { parameter.clearGradient() }
        block(x).backward()
        #expect(recomputedGradients == block.parameters.map { $0.gradient?.floats ?? [] })
    }

    /// Between the passes nothing but the block's input is kept: the second run repeats every kernel of the first.
    @Test func activationsAreNotKept() {
        let backend = CountingBackend(TestBackend.reference.make())
        var numbers = NumberStream(seed: 8)
        let block = Block(&numbers, on: backend)
        let x = numbers.tensor([11, 8], on: backend)
        let y = recomputed(x) { block($0) }
        backend.reset()
        y.backward()
        #expect(backend.calls["attention"] == 1)
        #expect(backend.calls["attentionGradient"] == 1)
        #expect(backend.calls["gatedActivation"] == 1)
    }

    /// Values that are cheap to compute do not wait for their gradient in memory but are written beside it, and the gradients have the
    /// same bits.
    @Test(arguments: TestBackend.allCases)
    func cheapValuesAreRemade(_ backend: TestBackend) {
        let base = backend.make()
        func run(keeping: Bool) -> (calls: Int, beside: Int, gradients: [[Float]]) {
            let backend = CountingBackend(base)
            var numbers = NumberStream(seed: 8)
            let block = Block(&numbers, on: backend)
            let x = numbers.tensor([11, 8], on: backend)
            let y = GradientRecording.$keepsValues.withValue(keeping) { block(x) }
            backend.reset()
            y.backward()
            let calls = backend.calls["gatedActivation", default: 0] + backend.calls["rmsNorm", default: 0]
            return (
                calls, backend.calls["values beside gradients", default: 0],
                block.parameters.map { $0.gradient?.floats ?? [] }
            )
        }
        let (kept, remade) = (run(keeping: true), run(keeping: false))
        #expect(kept.calls == 0 && kept.beside == 0)
        #expect(remade.calls == 0 && remade.beside == 1)
        #expect(kept.gradients == remade.gradients)
    }

    /// An activation function that keeps the way to its argument multiplies once more, and the gradients have the same bits.
    @Test(arguments: TestBackend.allCases)
    func mapsAreRepeated(_ backend: TestBackend) {
        let base = backend.make()
        func run(repeating: Bool) -> (products: Int, gradients: [[Float]]) {
            let backend = CountingBackend(base)
            var numbers = NumberStream(seed: 8)
            let block = Block(&numbers, on: backend)
            let x = numbers.tensor([11, 8], on: backend)
            let y = repeating ? GradientRecording.repeatingMaps { block(x) } : block(x)
            backend.reset()
            y.backward()
            return (backend.calls["product", default: 0], block.parameters.map { $0.gradient?.floats ?? [] })
        }
        let (kept, repeated) = (run(repeating: false), run(repeating: true))
        #expect(repeated.products == kept.products + 1)
        #expect(repeated.gradients == kept.gradients)
    }

    @Test func frozenBlocksRecordNothing() {
        let backend = CountingBackend(TestBackend.reference.make())
        var numbers = NumberStream(seed: 8)
        let block = Block(&numbers, on: backend)
        for parameter in block.parameters { parameter.isTrainable = false }
        let y = recomputed(numbers.tensor([11, 8], on: backend)) { block($0) }
        #expect(y.node == nil)
    }
}
