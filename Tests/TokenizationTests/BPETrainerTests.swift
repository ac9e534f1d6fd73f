import Basics
import Testing
import Tokenization

/// The trainer against `BpeTrainer` of the `tokenizers` library.
@Suite struct BPETrainerTests {
    static let cases = (try? TestFiles.json(TestFiles.fixture("trainer.json")).array) ?? []

    @Test(arguments: 0..<3)
    func learnsWhatTheTokenizersLibraryLearns(index: Int) throws {
        let entry = try #require(Self.cases.count > index ? Self.cases[index] : nil)
        let splitting = try #require(BPETrainer.Splitting(rawValue: entry["splitting"]?.text ?? ""))
        var trainer = BPETrainer(
            vocabularySize: try #require(entry["size"]?.int), minFrequency: try #require(entry["frequency"]?.int),
            specialTokens: ["<|endoftext|>", "<image>"], splitting: splitting)
        try trainer.add(file: TestFiles.fixture("corpus.txt"))
        let files = try TokenizerFiles(training: trainer, roles: TokenizerFiles.Roles(eos: "<|endoftext|>"))
        let vocabulary = try #require(files.tokenizer["model"]?["vocab"]?.object)
        #expect(vocabulary.keys == entry["tokens"]?.array?.map(\.text))
        #expect(files.tokenizer["model"]?["merges"] == entry["merges"])
    }

    @Test func writtenFilesOpenAgain() throws {
        var trainer = BPETrainer(vocabularySize: 320, specialTokens: ["<s>", "</s>"], splitting: .qwen2)
        try trainer.add(file: TestFiles.fixture("corpus.txt"))
        var files = try TokenizerFiles(
            training: trainer, roles: TokenizerFiles.Roles(bos: "<s>", eos: "</s>"), addsBeginning: true)
        #expect(try files.addSpecialTokens(["<image>", "</s>", "<row_1>"]) == [320, 1, 321])
        let folder = try Files.makeTemporaryDirectory("tokenizer")
        defer { try? Files.remove(folder) }
        var written = try AtomicFiles(in: folder)
        try files.write(to: &written)
        try written.commit()
        let tokenizer = try Tokenizer(folder: folder)
        #expect(tokenizer.vocabularySize == 322)
        #expect(tokenizer.eosID == 1)
        let text = "How many circles? 12 <image> 图 \u{0}"
        let ids = tokenizer.encode(text, addSpecialTokens: true, allowSpecial: true)
        #expect(ids.first == 0)
        #expect(ids.contains(320))
        #expect(tokenizer.decode(tokenizer.encode(text)) == text)
        let read = try TokenizerFiles(folder: folder)
        #expect(read.tokenizer == files.tokenizer)
        #expect(read.configuration == files.configuration)
    }

    @Test func impossibleSizesAndMissingTextAreErrors() throws {
        var trainer = BPETrainer(vocabularySize: 100, specialTokens: ["</s>"])
        trainer.add("some text")
        let small = trainer
        #expect(throws: UserError.self) { _ = try TokenizerFiles(training: small, roles: TokenizerFiles.Roles()) }
        let empty = BPETrainer(vocabularySize: 300)
        #expect(throws: UserError.self) { _ = try TokenizerFiles(training: empty, roles: TokenizerFiles.Roles()) }
        trainer.vocabularySize = 300
        let full = trainer
        #expect(throws: UserError.self) {
            _ = try TokenizerFiles(training: full, roles: TokenizerFiles.Roles(eos: "<|im_end|>"))
        }
    }
}
