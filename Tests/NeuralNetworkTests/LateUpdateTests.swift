import CPUBackend
import NeuralNetwork
import TensorCore
import TestSupport
import Testing

/// Updates so large that they go on while their caller does, too.
@Suite struct LateUpdateTests {
    /// A small vector in front of and behind a matrix that is large enough.
    private static let shapes: [Shape] = [[3], [1 << 11, (1 << 12) + 5], [70]]

    private func parameters(on backend: any Backend) -> [Parameter] {
        var numbers = NumberStream(seed: 5)
        return Self.shapes.map { Parameter(numbers.tensor($0, on: backend), decays: $0.rank > 1) }
    }

    private func optimizer(of parameters: [Parameter]) -> AdamW {
        AdamW([ParameterTree(parameters.enumerated().map { (String($0), $1) })])
    }

    private func step(_ optimizer: AdamW, _ parameters: [Parameter], factors: [Float]) {
        for (parameter, factor) in zip(parameters, factors) where factor != 0 {
            parameter.clearGradient()
            scaled(parameter.tensor, by: factor).backward(seed: parameter.value)
        }
        optimizer.step([GroupRate(learningRate: 1e-2, weightDecay: 0.1)], gradientScale: 0.5)
        // As between two steps: the update keeps what it reads.
        for parameter in parameters { parameter.dropGradient() }
    }

    /// Weights and moments after three steps; of the second, one parameter has no gradient.
    private func result(on backend: any Backend, readsBetween: Bool) -> [[Float]] {
        let parameters = parameters(on: backend)
        let optimizer = optimizer(of: parameters)
        for factors: [Float] in [[1, 2, 3], [2, 0.5, 0], [0.25, 1, 1]] {
            step(optimizer, parameters, factors: factors)
            // A reader of the first need not wait for the others.
            if readsBetween { for parameter in parameters { _ = parameter.value.floats } }
        }
        return (parameters.map(\.value) + optimizer.state.map(\.tensor)).map(\.floats)
    }

    @Test("readers see the values of an update that was done at once", arguments: [2, 4], [false, true])
    func equalBits(threads: Int, readsBetween: Bool) {
        let expected = result(on: CPUBackend(threads: 1), readsBetween: false)
        let found = result(on: CPUBackend(threads: threads), readsBetween: readsBetween)
        #expect(found.count == 9)
        for (found, expected) in zip(found, expected) { #expect(found == expected) }
    }

    @Test("an update ends although its optimizer is gone")
    func optimizerIsGone() {
        func value(threads: Int) -> [Float] {
            let parameters = parameters(on: CPUBackend(threads: threads))
            step(optimizer(of: parameters), parameters, factors: [1, 2, 3])
            return parameters[1].value.floats
        }
        #expect(value(threads: 3) == value(threads: 1))
    }

    @Test("other weights take the place of those that an update is at")
    func replaced() {
        let backend = CPUBackend(threads: 2)
        let parameters = parameters(on: backend)
        let optimizer = optimizer(of: parameters)
        step(optimizer, parameters, factors: [1, 1, 1])
        let fresh = backend.zeros(Self.shapes[1])
        parameters[1].replaceValue(fresh)
        #expect(parameters[1].value.floats.allSatisfy { $0 == 0 })
        step(optimizer, parameters, factors: [1, 1, 1])
        #expect(parameters[1].value.storage === fresh.storage)
    }
}
