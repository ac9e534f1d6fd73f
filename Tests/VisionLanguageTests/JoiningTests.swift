import Basics
import Checkpointing
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import Tokenization
import VisionLanguage

/// A tower and a decoder of different folders, joined by a fresh projector.
@Suite("Joining parts")
struct JoiningTests {
    private let backend = TestBackend.cpu.make()

    /// Decoders keep their own weights whatever family they are of, in memory and in the written folder.
    @Test(arguments: ["gpt2-small", "llama-small", "mistral-small", "qwen2-small"])
    func partsKeepTheirWeights(decoder: String) throws {
        let language = Fixtures.local("VisionLanguage", "\(decoder)/checkpoint")
        let tower = Fixtures.local("VisionLanguage", "vit-siglip-small/checkpoint")
        let joined = try ModelBundle.join(
            vision: .folder(tower), language: .folder(language), projector: .linear,
            tokenizer: Fixtures.local("VisionLanguage", "families/idefics3"), template: .vicuna, imageMode: .square,
            featureLayer: nil, seed: 1, on: backend)
        try withTemporaryFolder { folder in
            try joined.write(to: folder)
            let again = try ModelBundle.open(folder, on: backend)
            #expect(again.model.configuration.language.family == joined.model.configuration.language.family)
            #expect(again.model.parameters.entries.map(\.path) == joined.model.parameters.entries.map(\.path))
            for (entry, read) in zip(joined.model.parameters.entries, again.model.parameters.entries) {
                #expect(entry.parameter.value.floats == read.parameter.value.floats, "\(entry.path)")
            }
        }
        // Against the files themselves: the rows of the embedding, before those of added tokens.
        let file = try TensorFolder(language)
        let name = try #require(file.names.first { $0.hasSuffix("embed_tokens.weight") || $0.hasSuffix("wte.weight") })
        let expected = try file.withBytes(name) { Array($0.bindMemory(to: Float.self)) }
        let embedding = try #require(joined.model.parameters["language.embedding"]).value.floats
        #expect(Array(embedding.prefix(expected.count)) == expected)
    }
}
