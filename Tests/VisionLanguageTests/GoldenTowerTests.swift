import Basics
import Checkpointing
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import VisionLanguage

private let goldenTowers = Fixtures.golden(
    holding: "checkpoint/config.json", "io.safetensors", "grads_pooler.safetensors")

/// Vision towers against `transformers`: every hidden state, pooled vectors, other picture sizes, gradients.
@Suite("Golden towers", .enabled(if: !goldenTowers.isEmpty))
struct GoldenTowerTests {
    private struct Golden {
        let tower: VisionTower
        let table: KeyTable
        let io: TensorFile
        let tolerances: JSON
        let folder: String

        init(_ folder: String, on backend: any Backend) throws {
            self.folder = folder
            let checkpoint = Paths.join(folder, "checkpoint")
            let path = Paths.join(checkpoint, "config.json")
            let configuration = try VisionFamily.read(ConfigurationReader(json: try JSON.read(path), source: path))
            tower = VisionTower(configuration, Initializer(backend: backend, fills: false))
            table = .vision(patchSize: configuration.patchSize)
            try tower.parameters.load(from: TensorFolder(checkpoint), table: table)
            io = try TensorFile(Paths.join(folder, "io.safetensors"))
            tolerances = try JSON.read(Paths.join(folder, "tolerances.json"))
        }

        func tensor(_ name: String, on backend: any Backend) throws -> Tensor {
            Tensor(try io.floats(name), shape: Shape(try io.entry(name).shape), on: backend)
        }

        /// Pictures as the tower takes them, without what their sides hold beyond whole patches.
        func pixels(_ name: String, on backend: any Backend) throws -> Tensor {
            let shape = try io.entry(name).shape
            let group = PictureGroup(
                height: shape[2], width: shape[3], count: shape[0], pixels: try io.floats(name), rows: [])
            return group.tensor(for: tower.configuration, on: backend)
        }

        func tolerance(_ group: String, _ name: String) -> Double {
            tolerances["tensors"]?[group]?[name]?["tol"]?.double ?? 0
        }

        func expect(_ actual: Tensor, _ name: String) throws {
            expectClose(actual.floats, try io.floats(name), .absolute(tolerance("io", name)), name)
        }

        /// SigLIP's last hidden state is normed, CLIP's is the last block's output.
        var lastState: VisionFeatures {
            VisionFeatures(appliesPostNorm: !tower.configuration.hasClassToken, dropsClassToken: false)
        }

        func expectGradients(_ file: String) throws {
            let group = String(file.dropLast(".safetensors".count))
            let gradients = try TensorFile(Paths.join(folder, file))
            // Parameters that share a key (query, key and value of the pooling head) follow each other in it.
            var found: [String: [Float]] = [:]
            for (path, parameter) in tower.parameters.entries {
                let key = try #require(table.key(ofParameter: path), "no key for \(path)")
                let names = [key, "vision_model." + key, key.replacing("vision_model.", with: "")]
                guard let name = names.first(where: gradients.contains) else { continue }
                found[name, default: []] += try #require(parameter.gradient, "\(path) has no gradient").floats
            }
            for (name, values) in found {
                expectClose(values, try gradients.floats(name), .absolute(tolerance(group, name)), "\(file) \(name)")
            }
            #expect(found.count == gradients.entries.count { $0.name != "grad_input" }, "\(file)")
        }
    }

    @Test(arguments: goldenTowers, [TestBackend.cpu, .reference])
    func statesAndGradients(folder: String, backend: TestBackend) throws {
        let backend = backend.make()
        let golden = try Golden(folder, on: backend)
        let pixels = try golden.pixels("pixel_values", on: backend)
        var states = 0
        let last = golden.tower(pixels, features: golden.lastState) { layer, state in
            states += 1
            expectClose(
                state.floats, (try? golden.io.floats("hidden_states.\(layer)")) ?? [],
                .absolute(golden.tolerance("io", "hidden_states.\(layer)")), "hidden state \(layer)")
        }
        #expect(states == golden.tower.configuration.layers + 1)
        try golden.expect(last, "last_hidden_state")
        let upstream = try golden.tensor("gout.last_hidden_state", on: backend).reshaped(last.shape)
        last.backward(seed: upstream)
        try golden.expectGradients("grads.safetensors")
    }

    @Test(arguments: goldenTowers, [TestBackend.cpu, .reference])
    func pooledVectors(folder: String, backend: TestBackend) throws {
        let backend = backend.make()
        let golden = try Golden(folder, on: backend)
        let pooled = golden.tower.pooled(try golden.pixels("pixel_values", on: backend))
        try golden.expect(pooled, "pooler_output")
        pooled.backward(seed: try golden.tensor("gout.pooler_output", on: backend))
        try golden.expectGradients("grads_pooler.safetensors")
    }

    @Test(arguments: goldenTowers)
    func otherPictureSizes(folder: String) throws {
        let backend = TestBackend.cpu.make()
        let golden = try Golden(folder, on: backend)
        guard golden.io.contains("interpolate.pixel_values") else { return }
        let pixels = try golden.pixels("interpolate.pixel_values", on: backend)
        try golden.expect(golden.tower(pixels, features: golden.lastState), "interpolate.last_hidden_state")
    }
}
