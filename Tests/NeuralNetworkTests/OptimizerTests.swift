import Basics
import NeuralNetwork
import TensorCore
import TestSupport
import Testing

/// Optimizers against PyTorch's, or against their papers written down in float64 (`Scripts/reference/make_optimizers.py`).
@Suite("Optimizers")
struct OptimizerTests {
    private let fixture: JSON

    init() throws { fixture = try JSON.read(Fixtures.local("NeuralNetwork", "optimizers.json")) }

    private func tree(on backend: any Backend) throws -> ParameterTree {
        ParameterTree(
            try #require(fixture["start"]?.object).map { name, values in
                let shape = (fixture["shapes"]?[name]?.array ?? []).compactMap(\.int)
                return (
                    name, Parameter(Tensor(values.numbers, shape: Shape(shape), on: backend), decays: shape.count > 1)
                )
            })
    }

    private func setGradients(_ tree: ParameterTree, step: Int) {
        for (path, parameter) in tree.entries {
            let values = fixture["gradients"]?.array?[step][path]?.numbers ?? []
            parameter.clearGradient()
            let seed = Tensor(values, shape: parameter.shape, on: parameter.value.backend)
            scaled(parameter.tensor, by: 0.5).backward(seed: seed)
        }
    }

    private func run(_ make: ([ParameterTree]) -> any Optimizer) throws -> ParameterTree {
        let tree = try tree(on: TestBackend.cpu.make())
        let optimizer = make([tree])
        let rates = [
            GroupRate(
                learningRate: fixture["rate"]?.double ?? 0, weightDecay: fixture["decay"]?.double ?? 0)
        ]
        for step in 0..<4 {
            setGradients(tree, step: step)
            // Gradients arrive halved.
            optimizer.step(rates, gradientScale: 2)
        }
        #expect(optimizer.stepCount == 4)
        return tree
    }

    private func compare(_ tree: ParameterTree, _ name: String, _ tolerance: Tolerance = .ofScale(4e-6)) throws {
        for (path, parameter) in tree.entries {
            let expected = try #require(fixture["results"]?[name]?[path]?.numbers)
            expectClose(parameter.value.floats, expected, tolerance, "\(name) \(path)")
        }
    }

    @Test func adamW() throws { try compare(run { AdamW($0) }, "adamw") }
    @Test func lion() throws { try compare(run { Lion($0) }, "lion") }
    @Test func adafactor() throws { try compare(run { Adafactor($0) }, "adafactor") }
    @Test func muon() throws { try compare(run { Muon($0) }, "muon", .ofScale(2e-5)) }

    @Test func eightBitMomentsStayNearAdamW() throws {
        // Small parameters keep float32 moments; without that exception codes of 8 bits are as near as they can be.
        try compare(run { AdamW8Bit($0) }, "adamw")
        let coarse = try run { AdamW8Bit($0, minimum: 1) }
        try compare(coarse, "adamw", .ofScale(0.02))
    }

    @Test func galoreInTheWholeSpaceIsAdamWTurned() throws {
        // A subspace of one dimension less than the matrix has: the update has that rank, and the weights move.
        let tree = try run { GaLore($0, rank: 3, interval: 2, scale: 1) }
        let start = try self.tree(on: TestBackend.cpu.make())
        for (path, parameter) in tree.entries where parameter.shape.rank == 2 {
            let moved = zip(parameter.value.floats, start[path]!.value.floats).map { $0 - $1 }
            #expect(moved.contains { $0.magnitude > 1e-3 }, "\(path)")
        }
        let expected = try #require(fixture["results"]?["adamw"]?["vector.bias"]?.numbers)
        expectClose(tree["vector.bias"]!.value.floats, expected, .ofScale(4e-6), "vectors take AdamW")
    }

    @Test func dynamicMapIsThatOfBitsandbytes() throws {
        let expected = try #require(fixture["dynamic_map"]?.numbers)
        #expect(DynamicMap.signed == expected)
        #expect(DynamicMap.unsigned.count == 256)
        for value in stride(from: Float(-1), through: 1, by: 0.0013) {
            let index = Int(DynamicMap.index(of: value, in: DynamicMap.signed))
            let nearest = DynamicMap.signed.map { ($0 - value).magnitude }.min()!
            #expect((DynamicMap.signed[index] - value).magnitude == nearest)
        }
    }

    @Test(arguments: [false, true])
    func lomoUsesGradientsUpOneByOne(adaptive: Bool) throws {
        let tree = try tree(on: TestBackend.cpu.make())
        let plain = try self.tree(on: TestBackend.cpu.make())
        let fused = Lomo([tree], adaptive: adaptive)
        let adafactor = Adafactor([plain])
        let rate = GroupRate(learningRate: 0.02, weightDecay: 0.1)
        for step in 0..<3 {
            fused.begin([rate], gradientScale: 2)
            setGradients(tree, step: step)
            fused.step([rate], gradientScale: 2)
            for entry in tree.entries { #expect(entry.parameter.gradient == nil) }
            #expect(fused.gradientNorm > 0)
            setGradients(plain, step: step)
            if adaptive {
                adafactor.step([rate], gradientScale: 2)
            } else {
                for (_, parameter) in plain.entries {
                    let kept: Float = parameter.decays ? 1 - 0.02 * 0.1 : 1
                    let values = zip(parameter.value.floats, parameter.gradient!.floats).map { $0 * kept - 0.04 * $1 }
                    values.withUnsafeBytes { parameter.value.backend.upload($0, to: parameter.value) }
                }
            }
        }
        for (a, b) in zip(tree.entries, plain.entries) {
            expectClose(a.parameter.value.floats, b.parameter.value.floats, .ofScale(2e-6), a.path)
        }
    }
}

extension JSON {
    fileprivate var numbers: [Float] { (array ?? []).map { Float($0.double ?? .nan) } }
}
