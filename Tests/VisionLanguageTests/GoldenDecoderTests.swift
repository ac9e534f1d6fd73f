import Basics
import Checkpointing
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import VisionLanguage

private let goldenDecoders = Fixtures.golden(holding: "checkpoint/config.json", "generation.json", "io.safetensors")

/// A language model's folder: its checkpoint, what it computes, and what it says.
private struct GoldenDecoder {
    let folder: String
    let model: VisionLanguageModel
    let table: KeyTable
    let io: TensorFile
    let tolerances: JSON

    init(_ folder: String, on backend: any Backend) throws {
        self.folder = folder
        let checkpoint = Paths.join(folder, "checkpoint")
        let family = try ModelFamily.read(checkpoint)
        model = VisionLanguageModel(family.configuration, Initializer(backend: backend, fills: false))
        try model.parameters.load(from: TensorFolder(checkpoint), table: family.table)
        table = family.table
        io = try TensorFile(Paths.join(folder, "io.safetensors"))
        tolerances = try JSON.read(Paths.join(folder, "tolerances.json"))
    }

    /// Sequences of the right-padded batch, packed; and the rows of the padded batch that they are.
    func batch() throws -> (PackedBatch, rows: [Int]) {
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

    func expectRows(_ actual: [Float], _ name: String, _ rows: [Int]) throws {
        let width = try io.entry(name).shape[2]
        let all = try io.floats(name)
        let expected = rows.flatMap { all[$0 * width..<($0 + 1) * width] }
        expectClose(actual, expected, .absolute(tolerance("io", name)), name)
    }

    func tolerance(_ group: String, _ name: String) -> Double {
        tolerances["tensors"]?[group]?[name]?["tol"]?.double ?? 0
    }
}

extension JSON {
    fileprivate var ids: [Int32] { (array ?? []).map { Int32($0.int ?? -1) } }
}

/// Language models against `transformers`: every hidden state, logits, loss, gradients, and generated tokens.
@Suite("Golden decoders", .enabled(if: !goldenDecoders.isEmpty))
struct GoldenDecoderTests {
    @Test(arguments: goldenDecoders, [TestBackend.cpu, .reference])
    func statesLogitsAndGradients(folder: String, backend: TestBackend) throws {
        let golden = try GoldenDecoder(folder, on: backend.make())
        let (batch, rows) = try golden.batch()
        let model = golden.model
        let context = AttentionContext(
            segments: AttentionSegments(offsets: batch.offsets, isCausal: true),
            positions: RotaryPositions(batch.positions, on: model.backend))
        var states: [(Int, [Float])] = []
        let hidden = GradientRecording.disabled {
            model.language(model.embedded(batch.ids, []), context) { states.append(($0, $1.floats)) }
        }
        #expect(states.count == model.configuration.language.layers + 1)
        for (layer, values) in states { try golden.expectRows(values, "hidden_states.\(layer)", rows) }
        try golden.expectRows(model.language.logits(hidden).floats, "logits", rows)

        let loss = model.loss(batch, scale: 1 / Float(batch.supervisedCount))
        loss.backward()
        expectClose([loss.scalar], try golden.io.floats("loss"), .absolute(golden.tolerance("io", "loss")), "loss")
        let gradients = try TensorFile(Paths.join(folder, "grads.safetensors"))
        // Parameters that share a tensor of the file follow each other in it.
        var found: [String: (values: [Float], form: KeyRule.Form)] = [:]
        for (path, parameter) in model.parameters.entries {
            let place = try #require(golden.table.place(ofParameter: path), "no key for \(path)")
            guard gradients.contains(place.key) else { continue }
            let gradient = try #require(parameter.gradient, "\(path) has no gradient")
            found[place.key, default: ([], place.form)].values += gradient.floats
        }
        for (name, gradient) in found {
            var expected = try gradients.floats(name)
            let shape = try gradients.entry(name).shape
            if gradient.form == .transposed, shape.count == 2 {
                let stored = expected
                expected = (0..<shape[1]).flatMap { column in (0..<shape[0]).map { stored[$0 * shape[1] + column] } }
            }
            expectClose(gradient.values, expected, .absolute(golden.tolerance("grads", name)), name)
        }
        #expect(found.count == gradients.entries.count)
    }

    @Test(arguments: goldenDecoders)
    func olderConfigurationsMeanTheSame(folder: String) throws {
        let checkpoint = Paths.join(folder, "checkpoint")
        let older = Paths.join(checkpoint, "config.v4.json")
        guard Files.exists(older) else { return }
        let reader = ConfigurationReader(json: try JSON.read(older), source: older)
        #expect(try DecoderFamily.read(reader) == ModelFamily.read(checkpoint).configuration.language)
    }

    @Test(arguments: goldenDecoders)
    func greedyTokens(folder: String) throws {
        let golden = try GoldenDecoder(folder, on: TestBackend.cpu.make())
        let json = try JSON.read(Paths.join(folder, "generation.json"))
        let generator = Generator(golden.model)
        let cases = try #require(json["single"]?.array)
        for item in cases {
            let prompt = Prompt(ids: try #require(item["prompt"]).ids)
            let greedy = try #require(item["greedy"]).ids
            let found = generator.generate([prompt], GenerationSettings(maximumNewTokens: greedy.count))
            #expect(found[0].ids == greedy)
            guard let ended = item["greedy_with_eos"], let stop = ended["eos_token_id"]?.int else { continue }
            let settings = GenerationSettings(maximumNewTokens: greedy.count, stopIDs: [Int32(stop)])
            var tokens = try #require(ended["tokens"]).ids
            if tokens.last == Int32(stop) { tokens.removeLast() }
            #expect(generator.generate([prompt], settings)[0].ids == tokens)
        }
        let batch = try #require(json["left_padded_batch"])
        let masks = (batch["attention_mask"]?.array ?? []).map(\.ids)
        let prompts = zip((batch["input_ids"]?.array ?? []).map(\.ids), masks).map { ids, mask in
            Prompt(ids: zip(ids, mask).filter { $0.1 != 0 }.map(\.0))
        }
        let expected = (batch["greedy"]?.array ?? []).map(\.ids)
        let count = try #require(expected.first).count
        let together = generator.generate(prompts, GenerationSettings(maximumNewTokens: count))
        #expect(together.map(\.ids) == expected)
    }

    @Test(arguments: goldenDecoders)
    func greedyLogits(folder: String) throws {
        let golden = try GoldenDecoder(folder, on: TestBackend.cpu.make())
        let file = try TensorFile(Paths.join(folder, "greedy_logits.safetensors"))
        let json = try JSON.read(Paths.join(folder, "generation.json"))
        for (index, item) in (json["single"]?.array ?? []).enumerated() {
            let name = "prompt\(index)"
            guard file.contains(name), let prompt = item["prompt"]?.ids, let greedy = item["greedy"]?.ids else {
                continue
            }
            // The logits of all steps at once, without a cache: the tokens above came through the cache.
            let ids = prompt + greedy.dropLast()
            let batch = PackedBatch(
                ids: ids, labels: ids.map { _ in -1 }, offsets: [0, Int32(ids.count)], pictures: [])
            let logits = GradientRecording.disabled {
                golden.model.language.logits(golden.model.hiddenStates(batch)).floats
            }
            let width = golden.model.configuration.language.vocabularySize
            expectClose(
                Array(logits[((prompt.count - 1) * width)...]), try file.floats(name),
                .absolute(golden.tolerance("greedy_logits", name)), name)
        }
    }

    @Test(arguments: goldenDecoders)
    func beams(folder: String) throws {
        let golden = try GoldenDecoder(folder, on: TestBackend.cpu.make())
        let json = try JSON.read(Paths.join(folder, "generation.json"))
        var compared = 0
        for item in json["single"]?.array ?? [] {
            let prompt = Prompt(ids: try #require(item["prompt"]).ids)
            for key in ["beam", "beam_with_eos"] {
                guard let beam = item[key], let best = beam["sequences"]?.array?.first?.ids,
                    let score = beam["scores"]?.array?.first?.double,
                    beam["stable_under_logit_noise_1e-4"]?.bool ?? true
                else { continue }
                let stop = beam["eos_token_id"]?.int.map { Int32($0) }
                let longest = (beam["sequences"]?.array ?? []).map { $0.ids.count }.max() ?? 0
                let settings = GenerationSettings(
                    maximumNewTokens: longest, beams: beam["num_beams"]?.int ?? 1,
                    lengthPenalty: beam["length_penalty"]?.double ?? 1, stopIDs: Set([stop].compactMap(\.self)))
                let answer = Generator(golden.model).generate([prompt], settings)[0]
                #expect(answer.ids == Array(best.prefix { $0 != stop && $0 >= 0 }), "\(key)")
                #expect(abs((answer.score ?? 0) - score) < 1e-4, "\(key)")
                compared += 1
            }
        }
        #expect(compared > 0)
    }
}
