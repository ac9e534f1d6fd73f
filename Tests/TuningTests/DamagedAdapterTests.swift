import Basics
import Checkpointing
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import Tuning
import VisionLanguage

/// Adapters' folders whose files are not what they should be: an error that names the fault, never a trap or a wrong model.
@Suite("Damaged adapters")
struct DamagedAdapterTests {
    /// A tensor as the file is to hold it.
    private typealias Part = (name: String, shape: [Int], values: [Float])

    /// Writes the method's file, changes it, and reads it.
    private func read(
        _ method: any TuningMethod = LoRA(rank: 4), asPEFT: Bool = true, configuration changes: JSONObject = [:],
        _ change: (inout [Part]) -> Void = { _ in }
    ) throws {
        try withTemporaryFolder { folder in
            let decoder = TinyDecoder.random(on: TestBackend.cpu.make())
            let tree = decoder.model.parameters
            let tuning = try Tuning([TuningRule(selector: "language", method: method)], tree: tree, seed: 5)
            try AdapterFolder.write(tuning, tree: tree, table: decoder.table, base: "tiny", to: folder)
            tuning.detach()

            let path = Paths.join(folder, "adapter_config.json")
            var object = try #require(JSON.read(path).object)
            if asPEFT { object["vitrail"] = nil }
            for (key, value) in changes { object[key] = value }
            try Files.write(JSON.object(object).serialized(), to: path)
            let weights = Paths.join(folder, "adapter_model.safetensors")
            var parts: [Part] = []
            do {
                let file = try TensorFile(weights)
                parts = try file.entries.map { ($0.name, $0.shape, try file.floats($0.name)) }
            }
            change(&parts)
            var writer = try SafetensorsWriter(
                weights, parts.map { TensorDescription(name: $0.name, element: .float32, shape: $0.shape) })
            for part in parts { try writer.append(part.name, floats: part.values) }
            try writer.finish()
            _ = try AdapterFile(folder).attach(to: tree, table: decoder.table)
        }
    }

    private func problem(_ body: () throws -> Void) throws -> String {
        let error = try #require(throws: (any Error).self) { try body() }
        return try #require(error as? any Problem).problem
    }

    @Test func whatIsWholeIsRead() throws {
        try read()
        try read(asPEFT: false)
        try read(PromptTuning(tokens: 3))
        try read(VeRA(rank: 8))
    }

    /// `prompt_embeddings` and `lora_A` say how many rows there are.
    @Test func tensorsWithoutRowsAreRefused() throws {
        for method in [LoRA(rank: 4), PromptTuning(tokens: 3), PrefixTuning(tokens: 3)] as [any TuningMethod] {
            for shape in [[], [4]] {
                let text = try problem {
                    try read(method) { parts in
                        parts[0] = (parts[0].name, shape, [Float](repeating: 0, count: shape.reduce(1, *)))
                    }
                }
                #expect(text.contains("has shape \(shape)"), "\(text)")
            }
        }
    }

    @Test(arguments: [JSON.integer(-1), .integer(0), .integer(1 << 20), .integer(.max), .number(2.5), "4"])
    func impossibleRanksAreRefused(rank: JSON) throws {
        for method in [LoRA(rank: 4), VeRA(rank: 8)] as [any TuningMethod] {
            let text = try problem { try read(method, configuration: ["r": rank]) }
            #expect(text.contains(rank.serialized()), "\(text)")
        }
    }

    /// A model multiplied by such a number says nothing.
    @Test(arguments: [JSON.number(1e300), .number(-1e19)])
    func impossibleScalesAreRefused(alpha: JSON) throws {
        for changes in [["lora_alpha": alpha], ["alpha_pattern": ["q_proj": alpha]]] as [JSONObject] {
            let text = try problem { try read(configuration: changes) }
            #expect(text.contains("alpha") && text.contains("e+"), "\(text)")
        }
        try read(configuration: ["lora_alpha": -8, "alpha_pattern": ["q_proj": 64]])
    }

    /// A matrix on its side has as many elements, and would be another adapter.
    @Test func transposedMatricesAreRefused() throws {
        let text = try problem {
            try read(asPEFT: false) { parts in
                parts[0] = (parts[0].name, parts[0].shape.reversed(), parts[0].values)
            }
        }
        #expect(text.contains("this model needs"), "\(text)")
    }

    @Test(arguments: [Float.nan, .infinity]) func whatIsNotFiniteIsRefused(value: Float) throws {
        let text = try problem { try read { parts in parts[0].values[1] = value } }
        #expect(text.contains("element 1 is not a finite number"), "\(text)")
    }
}
