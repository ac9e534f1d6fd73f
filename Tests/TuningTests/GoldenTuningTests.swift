import Basics
import Checkpointing
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import Tuning
import VisionLanguage

private let goldenFolder = Fixtures.golden(indexing: "methods").first
private let methods: [String] = {
    guard let goldenFolder, let names = try? Files.list(goldenFolder) else { return [] }
    return names.filter { Files.exists(Paths.join(goldenFolder, $0, "grads.safetensors")) }
}()

/// Adapters that the peft package wrote, against what it computes with them: logits, gradients, merged weights.
@Suite("Golden tuning", .enabled(if: !methods.isEmpty))
struct GoldenTuningTests {
    @Test(arguments: methods, [TestBackend.cpu, .reference])
    func outputsAndGradients(method: String, backend: TestBackend) throws {
        let folder = Paths.join(try #require(goldenFolder), method)
        let base = try TinyDecoder.golden(goldenFolder!, on: backend.make())
        let tree = base.model.parameters
        let tuning: Tuning
        if Files.isDirectory(Paths.join(folder, "adapter")) {
            tuning = try AdapterFile(Paths.join(folder, "adapter")).attach(to: tree, table: base.table)
        } else {
            tuning = try bottleneck(Paths.join(folder, "adapter.safetensors"), tree)
        }
        let index = try JSON.read(Paths.join(goldenFolder!, "index.json"))["methods"]?[method]?["tolerances"]
        func tolerance(_ group: String, _ name: String) throws -> Tolerance {
            .absolute(try #require(index?[group]?[name]?["tol"]?.double, "\(group) \(name)"))
        }
        let io = try TensorFile(Paths.join(folder, "io.safetensors"))
        let (batch, rows) = try base.batch()
        let shape = try io.entry("logits").shape
        let virtual =
            base.model.language.virtualTokens?.embeddings() == nil ? 0 : base.model.language.virtualTokens!.count
        let all = try io.floats("logits")
        let width = base.inputColumns
        let expected = rows.flatMap { row -> ArraySlice<Float> in
            let place = row / width * shape[1] + virtual + row % width
            return all[place * shape[2]..<(place + 1) * shape[2]]
        }
        let logits = GradientRecording.disabled {
            base.model.language.logits(base.model.hiddenStates(batch)).floats
        }
        expectClose(logits, expected, try tolerance("io", "logits"), "logits")

        let loss = base.model.loss(batch, scale: 1 / Float(batch.supervisedCount))
        loss.backward()
        expectClose([loss.scalar], try io.floats("loss"), try tolerance("io", "loss"), "loss")
        let gradients = try TensorFile(Paths.join(folder, "grads.safetensors"))
        var compared = 0
        for entry in gradients.entries {
            let found = try #require(self.gradient(entry, tuning, base), "\(entry.name)")
            expectClose(found, try gradients.floats(entry.name), try tolerance("grads", entry.name), entry.name)
            compared += 1
        }
        #expect(compared == gradients.entries.count && compared > 0)
        for entry in tree.entries { #expect(entry.parameter.gradient == nil, "\(entry.path) is frozen") }
    }

    @Test(arguments: methods.filter { Files.exists(Paths.join(goldenFolder ?? "", $0, "merged.safetensors")) })
    func mergedWeights(method: String) throws {
        let folder = Paths.join(try #require(goldenFolder), method)
        let base = try TinyDecoder.golden(goldenFolder!, on: TestBackend.cpu.make())
        let tuning = try AdapterFile(Paths.join(folder, "adapter")).attach(
            to: base.model.parameters, table: base.table)
        let (batch, _) = try base.batch()
        func logits() -> [Float] {
            GradientRecording.disabled { base.model.language.logits(base.model.hiddenStates(batch)).floats }
        }
        let before = logits()
        try tuning.merge()
        expectClose(logits(), before, .forward, "merged and unmerged")
        let merged = try TensorFile(Paths.join(folder, "merged.safetensors"))
        let index = try JSON.read(Paths.join(goldenFolder!, "index.json"))["methods"]?[method]
        let tolerances = index?["tolerances"]?["merged"]
        var compared = 0
        for entry in base.model.parameters.entries {
            guard let key = base.table.key(ofParameter: entry.path), merged.contains(key) else { continue }
            let tolerance = try #require(tolerances?[key]?["tol"]?.double, "\(key)")
            expectClose(entry.parameter.value.floats, try merged.floats(key), .absolute(tolerance), entry.path)
            compared += 1
        }
        #expect(compared == merged.entries.count && compared > 0)
    }

    /// A tensor's gradient under its name in the file.
    private func gradient(_ entry: TensorEntry, _ tuning: Tuning, _ base: TinyDecoder) -> [Float]? {
        let added = tuning.methods.flatMap(\.added)
        if entry.name.hasSuffix("prompt_embeddings") || entry.name.contains("prompt_encoder") {
            if added.count == 1 { return added[0].parameter.gradient?.floats }
            // A parameter a layer here, side by side in the file.
            let layers = added.compactMap { $0.parameter.gradient?.floats }
            let columns = added[0].parameter.shape[1]
            return (0..<added[0].parameter.shape[0]).flatMap { token in
                layers.flatMap { $0[token * columns..<(token + 1) * columns] }
            }
        }
        let name = entry.name.replacing(".default", with: "")
        return added.first { item in
            name == "base_model.model." + base.module(item.site) + "." + item.name || name == bottleneckName(item)
        }?.parameter.gradient?.floats
    }

    // MARK: Hand-written adapters of the fixture

    private func bottleneckName(_ item: AddedParameter) -> String {
        let parts = item.site.split(separator: ".")
        let kind = item.site.hasSuffix("output") ? "attn_adapter" : "mlp_adapter"
        return "model.layers.\(parts.count > 2 ? parts[2] : "").\(kind)." + item.name.replacing("adapter_", with: "")
    }

    private func bottleneck(_ path: String, _ tree: ParameterTree) throws -> Tuning {
        let file = try TensorFile(path)
        let size = try file.entry(try #require(file.names.first { $0.hasSuffix("down.weight") })).shape[0]
        let tuning = try Tuning(
            [TuningRule(selector: "language", method: BottleneckAdapters(size: size))], tree: tree, seed: 1)
        let added = tuning.methods.flatMap(\.added)
        #expect(added.count == file.entries.count)
        for item in added {
            let values = try file.floats(bottleneckName(item))
            values.withUnsafeBytes { item.parameter.value.backend.upload($0, to: item.parameter.value) }
        }
        return tuning
    }
}

/// A small language model and a batch for it.
struct TinyDecoder {
    let model: VisionLanguageModel
    let table: KeyTable
    private let io: TensorFile?

    /// The base of the golden adapters.
    static func golden(_ folder: String, on backend: any Backend) throws -> TinyDecoder {
        let name = try JSON.read(Paths.join(folder, "index.json"))["base"]?.string ?? "llama-tiny"
        let base = Paths.join(Paths.parent(folder), name)
        let checkpoint = Paths.join(base, "checkpoint")
        let family = try ModelFamily.read(checkpoint)
        let model = VisionLanguageModel(family.configuration, Initializer(backend: backend, fills: false))
        try model.parameters.load(from: TensorFolder(checkpoint), table: family.table)
        return TinyDecoder(
            model: model, table: family.table, io: try TensorFile(Paths.join(base, "io.safetensors")))
    }

    /// A decoder with random weights, for tests without fixtures.
    static func random(seed: UInt64 = 3, on backend: any Backend) -> TinyDecoder {
        let language = DecoderConfiguration(
            hiddenSize: 32, intermediateSize: 48, layers: 2, attentionHeads: 4, keyValueHeads: 2, headWidth: 8,
            vocabularySize: 40, normEpsilon: 1e-5, ropeTheta: 10_000, ropeScaling: .standard, maximumPositions: 64,
            tiesWordEmbeddings: true, hasQueryKeyValueBias: true, hasOutputBias: false, hasFeedForwardBias: false,
            hasQueryKeyNorm: false, activation: .silu, paddingTokenID: nil)
        let configuration = ModelConfiguration(
            vision: nil, features: VisionFeatures(appliesPostNorm: false), projector: .linear, language: language)
        return TinyDecoder(
            model: VisionLanguageModel(configuration, Initializer(backend: backend, seed: seed)),
            table: .llama.prefixed(key: "", path: "language."), io: nil)
    }

    /// Columns of the padded batch.
    var inputColumns: Int { (try? io?.entry("input_ids").shape[1]) ?? 0 }

    /// A map's name in Hugging Face's words.
    func module(_ site: String) -> String {
        String((table.key(ofParameter: site + ".weight") ?? "").dropLast(".weight".count))
    }

    /// The fixture's right-padded batch, packed; and the rows of the padded batch that they are.
    func batch() throws -> (PackedBatch, rows: [Int]) {
        guard let io else { return (Self.sequences, []) }
        let shape = try io.entry("input_ids").shape
        let (ids, mask, labels) = (
            try io.integers("input_ids"), try io.integers("attention_mask"), try io.integers("labels")
        )
        var packed: (ids: [Int32], labels: [Int32], offsets: [Int32], rows: [Int]) = ([], [], [0], [])
        for sequence in 0..<shape[0] {
            for column in 0..<shape[1] {
                let place = sequence * shape[1] + column
                guard mask[place] != 0 else { continue }
                packed.ids.append(Int32(ids[place]))
                let label = column + 1 < shape[1] ? labels[place + 1] : -100
                packed.labels.append(label < 0 ? -1 : Int32(label))
                packed.rows.append(place)
            }
            packed.offsets.append(Int32(packed.ids.count))
        }
        return (
            PackedBatch(ids: packed.ids, labels: packed.labels, offsets: packed.offsets, pictures: []), packed.rows
        )
    }

    /// Two short sequences to learn by heart.
    static let sequences: PackedBatch = {
        let first: [Int32] = [1, 5, 9, 13, 17, 21, 25, 2]
        let second: [Int32] = [1, 30, 8, 30, 8, 2]
        return PackedBatch(
            ids: first + second, labels: first.dropFirst() + [-1] + second.dropFirst() + [-1],
            offsets: [0, Int32(first.count), Int32(first.count + second.count)], pictures: [])
    }()
}
