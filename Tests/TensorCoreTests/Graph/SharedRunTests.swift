import TensorCore
import TestSupport
import Testing

/// Products of a backward pass that do not depend on each other are handed to the back end together.
@Suite struct SharedRunTests {
    private let backend = CountingBackend(TestBackend.reference.make())

    private func parameter(_ shape: Shape, seed: UInt64) -> Parameter {
        var numbers = NumberStream(seed: seed)
        return Parameter(numbers.tensor(shape, on: backend), decays: true)
    }

    @Test func bothGradientsOfAMap() {
        let (x, weight) = (parameter([3, 4], seed: 1), parameter([5, 4], seed: 2))
        let y = linear(x.tensor, weight: weight.tensor)
        backend.reset()
        y.backward()
        #expect(backend.calls == ["fill": 1, "product": 2, "products": 1])
    }

    /// A map behind a norm reads what the norm's gradient makes again: its weights have their turn with the map in front of the norm.
    @Test func weightsBehindANorm() {
        let (x, first, second) = (parameter([3, 4], seed: 1), parameter([6, 4], seed: 2), parameter([5, 6], seed: 3))
        let (scale, residual) = (parameter([6], seed: 4), parameter([3, 6], seed: 5))
        let h = linear(x.tensor, weight: first.tensor, bias: nil, addedTo: residual.tensor)
        let y = linear(rmsNorm(h, weight: scale.tensor, epsilon: 1e-5), weight: second.tensor)
        var order: [String] = []
        for (name, parameter) in [("first", first), ("second", second), ("scale", scale)] {
            parameter.onGradientComplete = { _ in order.append(name) }
        }
        backend.reset()
        y.backward()
        // The second map's input gradient; then three products at once.
        #expect(backend.calls["product"] == 4)
        #expect(backend.calls["products"] == 1)
        #expect(order.sorted() == ["first", "scale", "second"])
        // d/dW₂ Σ y: every row is the sum of the norm's results.
        let normed = rmsNorm(h.detached, weight: scale.value, epsilon: 1e-5).floats
        let sums = (0..<6).map { column in (0..<3).reduce(Float(0)) { $0 + normed[$1 * 6 + column] } }
        let gradient = second.gradient?.floats ?? []
        #expect(gradient.count == 30)
        for (index, value) in gradient.enumerated() { #expect(abs(value - sums[index % 6]) < 1e-5) }
    }
}
