import Basics
import Checkpointing
import Imaging
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import Tokenization
import VisionLanguage

private let families = Paths.join(Paths.parent(#filePath), "Fixtures/families")

/// Whole folders of families that cut pictures into tiles, against what transformers computes with them
/// (`Scripts/reference/make_family_fixtures.py`).
@Suite("Families that cut pictures into tiles")
struct FamilyFolderTests {
    private static let names = ["idefics3", "smolvlm", "llava_next"]
    private let backend = TestBackend.cpu.make()

    private func expected(_ name: String) throws -> [JSON] {
        try #require(JSON.read(Paths.join(families, name, "expected.json"))["cases"]?.array)
    }

    private func numbers(_ json: JSON, _ key: String) throws -> [Int32] {
        try #require(json[key]?.array).map { Int32($0.int ?? -1) }
    }

    /// Logits of the last three tokens, and the tokens that stand for the picture.
    private func run(_ bundle: ModelBundle, _ item: JSON, in folder: String) throws -> (logits: [Float], image: [Int32])
    {
        let path = Paths.join(folder, item["picture"]?.string ?? "")
        let tiles = try #require(bundle.processor).tiles(of: ImageDecoder.decode(path: path))
        let layout = try #require(bundle.pictureLayout)
        let image = try layout.tokens(for: tiles.imageSize).ids
        var ids = try numbers(item, "ids")
        var collector = PictureCollector(layout)
        try collector.add(tiles.values, size: tiles.imageSize, span: 1..<1 + image.count, in: &ids)
        let batch = PackedBatch(
            ids: ids, labels: ids.map { _ in -1 }, offsets: [0, Int32(ids.count)], pictures: collector.groups)
        return GradientRecording.disabled {
            let hidden = bundle.model.hiddenStates(batch)
            let last = Tensor((Int32(ids.count) - 3..<Int32(ids.count)).map { $0 }, on: backend)
            return (bundle.model.language.logits(gatherRows(hidden, indices: last)).floats, image)
        }
    }

    @Test(arguments: names)
    func picturesAndLogits(name: String) throws {
        let folder = Paths.join(families, name)
        let bundle = try ModelBundle.open(folder, on: backend)
        for item in try expected(name) {
            let (logits, image) = try run(bundle, item, in: folder)
            #expect(try image == numbers(item, "image_ids"))
            let wanted = try #require(item["logits"]?.array).map { Float($0.double ?? 0) }
            expectClose(logits, wanted, .absolute(2e-5), name)
        }
    }

    /// Without pictures to come, the weights that look at them stay in the file; one that comes all the same is seen as ever.
    @Test(arguments: names)
    func whatNobodyLooksWithStaysInTheFile(name: String) throws {
        let folder = Paths.join(families, name)
        let (whole, blind) = (
            try ModelBundle.open(folder, on: backend), try ModelBundle.open(folder, sees: false, on: backend)
        )
        let left = blind.model.parameters.entries.filter { $0.parameter.source != nil }
        #expect(left.allSatisfy { !$0.path.hasPrefix("language.") })
        let tower = blind.model.parameters.entries.filter { $0.path.hasPrefix("vision.") }
        let bytes = { (entries: [ParameterTree.Entry]) in entries.reduce(0) { $0 + $1.parameter.count } }
        #expect(bytes(left.filter { $0.path.hasPrefix("vision.") }) * 10 > bytes(tower) * 9)
        let item = try expected(name)[0]
        #expect(try run(blind, item, in: folder).logits == run(whole, item, in: folder).logits)
    }

    /// Another template or prompt would be another question: what cannot be is told, not passed over.
    @Test(arguments: [
        (#"{"template": "vicuna"}"#, "unknown chat template"), (#"{"template": 5}"#, "\"template\" is 5"),
        (#"{"caption_prompt": ["a"]}"#, "\"caption_prompt\" is"), ("[]", "expected keys and values"),
        (#"{"format": 1, "templ"#, "vitrail.json:1:"),
    ])
    func ownSettingsThatCannotBeAreTold(text: String, words: String) throws {
        try withTemporaryFolder { copy in
            try ModelBundle.open(Paths.join(families, "smolvlm"), on: backend).write(to: copy)
            try Files.write(text, to: Paths.join(copy, "vitrail.json"))
            let error = try #require(throws: UserError.self) { try ModelBundle.open(copy, on: backend) }
            #expect(error.problem.contains("vitrail.json:") && error.problem.contains(words), "\(error)")
            #expect(error.fix?.contains("download") == false)
            try Files.write(
                #"{"template": "chatml", "caption_prompt": "What?", "later": 1}"#, to: Paths.join(copy, "vitrail.json"))
            let bundle = try ModelBundle.open(copy, on: backend)
            #expect(bundle.template == .chatML && bundle.captionPrompt == "What?")
        }
    }

    /// What is written has the same configuration, and the same weights under the names of the family.
    @Test(arguments: names)
    func roundTrip(name: String) throws {
        let folder = Paths.join(families, name)
        let bundle = try ModelBundle.open(folder, on: backend)
        try withTemporaryFolder { copy in
            try bundle.write(to: copy)
            #expect(try ModelFamily.read(copy).configuration == ModelFamily.read(folder).configuration)
            let again = try ModelBundle.open(copy, on: backend)
            let item = try expected(name)[0]
            let (first, _) = try run(bundle, item, in: folder)
            let (second, _) = try run(again, item, in: folder)
            #expect(first == second)
            let config = try JSON.read(Paths.join(copy, "config.json"))
            let published = try JSON.read(Paths.join(folder, "config.json"))
            for key in ["model_type", "architectures", "image_token_id", "scale_factor", "image_grid_pinpoints"] {
                if key != "image_token_id" || name != "llava_next" { #expect(config[key] == published[key], "\(key)") }
            }
        }
    }

    /// Two pictures of one prompt, and two prompts, give what each gives alone.
    @Test func picturesOfABatchAreIndependent() throws {
        let folder = Paths.join(families, "llava_next")
        let bundle = try ModelBundle.open(folder, on: backend)
        let pictures = try ["0.png", "1.png"].map {
            try #require(bundle.processor).tiles(of: ImageDecoder.decode(path: Paths.join(folder, $0)))
        }
        let questions = pictures.map { Question("What is it?", pictures: [$0]) }
        let settings = GenerationSettings(maximumNewTokens: 4)
        let answerer = try Answerer(bundle, settings, template: "plain")
        let together = try answerer.answer(questions)
        let alone = try questions.map { try answerer.answer([$0])[0] }
        #expect(together.map(\.text) == alone.map(\.text))
    }

    /// Numbers of tokens by `LlavaNextProcessor` for tiles of 336 pixels in patches of 14.
    @Test(arguments: [
        (336, 336, 1_176), (640, 480, 2_340), (1_000, 300, 2_182), (300, 1_000, 2_232), (1_920, 1_080, 1_948),
        (1, 1, 1_176),
        (37, 900, 792), (672, 671, 2_928), (333, 500, 1_476),
    ])
    func unpaddedTokens(width: Int, height: Int, count: Int) throws {
        var processor = ImageProcessor.clip(side: 336)
        let sizes = [(672, 336), (336, 672), (672, 672), (336, 1_008), (1_008, 336)]
        processor.tiling = .anyResolution(
            candidates: sizes.map { PixelSize(width: $0.0, height: $0.1) }, tile: 336, base: PixelSize(square: 336))
        let tokenizer = try Tokenizer(folder: Paths.join(families, "llava_next"))
        let layout = PictureLayout(
            processor: processor, tokenizer: tokenizer, imageTokenID: 5, tokensPerTile: 576, grid: (24, 24),
            style: .llavaNext)
        #expect(try layout.tokens(for: PixelSize(width: width, height: height)).ids.count == count)
    }

    /// nanoVLM's markers in front of each tile, the whole first.
    @Test func nanoVLMTokens() throws {
        let tokenizer = try Tokenizer.open(
            Paths.join(families, "llava_next"), adding: ["<|image|>", "<|global|>", "<r1>", "<r2>"]
        ).tokenizer
        func id(_ token: String) throws -> Int32 { try #require(tokenizer.id(token)) }
        let layout = PictureLayout(
            processor: .nanoVLM(tile: 16, maximumSide: 32), tokenizer: tokenizer, imageTokenID: try id("<|image|>"),
            tokensPerTile: 2, grid: (4, 4), style: .nanoVLM,
            names: ["global_image_token": "<|global|>", "r1c1": "<r1>", "r1c2": "<r2>"])
        let image = try id("<|image|>")
        #expect(try layout.tokens(for: PixelSize(square: 16)).ids == [id("<|global|>"), image, image])
        #expect(
            try layout.tokens(for: PixelSize(width: 30, height: 10)).ids
                == [id("<|global|>"), image, image, id("<r1>"), image, image, id("<r2>"), image, image])
    }
}

extension ImageDecoder {
    fileprivate static func decode(path: String) throws -> RGBImage {
        let file = try MappedFile(path)
        return try decode(file.bytes, source: path)
    }
}
