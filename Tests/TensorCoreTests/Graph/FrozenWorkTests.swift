import TensorCore
import TestSupport
import Testing

/// What is frozen costs nothing: counted in kernel calls.
@Suite struct FrozenWorkTests {
    private let backend = CountingBackend(TestBackend.reference.make())

    private func parameter(_ shape: Shape, isTrainable: Bool = true, seed: UInt64 = 1) -> Parameter {
        var numbers = NumberStream(seed: seed)
        return Parameter(numbers.tensor(shape, on: backend), decays: true, isTrainable: isTrainable)
    }

    @Test func frozenParametersGetNoGradient() {
        let x = parameter([3, 4])
        let weight = parameter([5, 4], isTrainable: false)
        let bias = parameter([5], isTrainable: false)
        let y = linear(x.tensor, weight: weight.tensor, bias: bias.tensor)
        backend.reset()
        y.backward()
        #expect(weight.gradient == nil && bias.gradient == nil)
        #expect(x.gradient != nil)
        // One product for dx, none for the weight; no sum for the bias; the fill is the seed.
        #expect(backend.calls == ["fill": 1, "product": 1])
    }

    @Test func nothingFlowsBelowTheLastTrainablePart() {
        let first = parameter([4, 4], isTrainable: false)
        let second = parameter([4, 4])
        var numbers = NumberStream(seed: 2)
        let x = numbers.tensor([3, 4], on: backend)
        let h = activation(.gelu, linear(x, weight: first.tensor))
        #expect(h.node == nil, "a frozen tower records no graph")
        let y = linear(h, weight: second.tensor)
        backend.reset()
        y.backward()
        #expect(backend.calls == ["fill": 1, "product": 1], "only the trainable weight's own product")
    }

    @Test func aFrozenGraphDoesNothing() {
        let weight = parameter([4, 4], isTrainable: false)
        var numbers = NumberStream(seed: 2)
        let y = linear(numbers.tensor([3, 4], on: backend), weight: weight.tensor)
        backend.reset()
        y.backward()
        #expect(backend.total == 0)
    }

    @Test func disabledRecordingLeavesNoGraph() {
        let weight = parameter([4, 4])
        let y = GradientRecording.disabled { scaled(weight.tensor, by: 2) }
        #expect(y.node == nil)
        let z = GradientRecording.disabled { GradientRecording.enabled { scaled(weight.tensor, by: 2) } }
        #expect(z.node != nil)
    }

    /// Every operation: with all inputs frozen it has no node, and with one trainable input only that one gets a gradient.
    @Test(arguments: OperationCase.all)
    func eachInputAlone(_ operation: OperationCase) {
        for trained in operation.inputs.indices {
            var numbers = NumberStream(seed: 4)
            let parameters = operation.inputs.enumerated().map { index, input in
                Parameter(
                    numbers.tensor(Shape(input.shape), scale: input.scale, on: backend), decays: false,
                    isTrainable: index == trained)
            }
            operation.function(parameters.map(\.tensor)).backward()
            for (index, parameter) in parameters.enumerated() {
                #expect(
                    (parameter.gradient != nil) == (index == trained),
                    "\(operation.inputs[index].name) while only \(operation.inputs[trained].name) is trained")
            }
        }
    }

    /// An input's gradient does not depend on what else is trained.
    @Test(arguments: OperationCase.all)
    func freezingOthersChangesNothing(_ operation: OperationCase) {
        func gradients(trained: Set<Int>) -> [[Float]?] {
            var numbers = NumberStream(seed: 4)
            let parameters = operation.inputs.enumerated().map { index, input in
                Parameter(
                    numbers.tensor(Shape(input.shape), scale: input.scale, on: backend), decays: false,
                    isTrainable: trained.contains(index))
            }
            operation.function(parameters.map(\.tensor)).backward()
            return parameters.map { $0.gradient?.floats }
        }
        let together = gradients(trained: Set(operation.inputs.indices))
        for index in operation.inputs.indices {
            #expect(gradients(trained: [index])[index] == together[index], "\(operation.inputs[index].name)")
        }
    }
}
