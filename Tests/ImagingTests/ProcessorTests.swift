import Basics
import Imaging
import Testing

/// The processors of transformers and nanoVLM, on pictures that are drawn again here.
struct ProcessorTests {
    static let expectations = TestPicture.entries("processors.json")
    static let fromTransformers = expectations.filter { $0.json["configuration"] != nil }
    static let fromNanoVLM = expectations.filter { $0.json["nanovlm"] != nil }

    @Test
    func thereAreExpectations() {
        #expect(Self.fromTransformers.count > 60 && Self.fromNanoVLM.count >= 5)
    }

    @Test(arguments: fromTransformers)
    func tensorsAreThoseOfTransformers(_ entry: FixtureEntry) throws {
        let configuration = try #require(entry.json["configuration"])
        let processor = try ImageProcessor(configuration: configuration, source: "preprocessor_config.json")
        try check(processor, entry)
        // What is written reads as the same processor.
        let again = try ImageProcessor(configuration: processor.configuration, source: "written")
        #expect(again == processor)
    }

    private func check(_ processor: ImageProcessor, _ entry: FixtureEntry) throws {
        let from = entry.ints("from"), shape = entry.ints("shape")
        let tiles = try processor.tiles(of: TestPicture.drawn(from[0], from[1]))
        #expect([tiles.layout.count, 3, tiles.tileSize.height, tiles.tileSize.width] == shape)
        #expect(tiles.values.withUnsafeBytes { SHA256.hex(of: $0) } == entry.string("sha256"))
        #expect(tiles.layout == (try processor.tileLayout(for: tiles.imageSize)))
        if entry.json["rows"] != nil {
            #expect(tiles.layout.rows == entry.int("rows") && tiles.layout.columns == entry.int("columns"))
        }
    }

    @Test(arguments: fromNanoVLM)
    func tilesAreThoseOfNanoVLM(_ entry: FixtureEntry) throws {
        let settings = try #require(entry.json["nanovlm"])
        let processor = ImageProcessor.nanoVLM(
            tile: try #require(settings["tile"]?.int), maximumSide: try #require(settings["maximum_side"]?.int),
            upscales: try #require(settings["upscales"]?.bool as Bool?))
        let from = entry.ints("from")
        let tiles = try processor.tiles(of: TestPicture.drawn(from[0], from[1]))
        #expect([tiles.layout.count, 3, tiles.tileSize.height, tiles.tileSize.width] == entry.ints("shape"))
        #expect(tiles.layout.rows == entry.int("rows") && tiles.layout.columns == entry.int("columns"))
        for sample in entry.json["samples"]?.array ?? [] {
            let index = try #require(sample[0]?.int), value = try #require(sample[1]?.double)
            #expect(abs(Double(tiles.values[index]) - value) <= 1e-6)
        }
        guard entry.json["whole_tiles"] != nil else { return }
        // The first tile, resized in floats, within 1e-6; the bytes of the others exactly.
        let count = tiles.values.count / tiles.layout.count
        let file = try MappedFile(entry.string("whole_tiles")), offset = entry.int("offset")
        var worst: Float = 0
        for index in 0..<count {
            let value = file.bytes.loadUnaligned(fromByteOffset: offset + 4 * index, as: Float.self)
            worst = max(worst, abs(value - tiles.values[index]))
        }
        #expect(worst <= 1e-6)
        let rest = Array(tiles.values[count...])
        #expect(rest.withUnsafeBytes { SHA256.hex(of: $0) } == entry.string("sha256"))
    }

    @Test
    func decodingOnTheWayGivesTheSame() throws {
        for size in [(40, 30), (31, 97), (200, 17)] {
            let file = try TestPicture.drawn(size.0, size.1).encodedJPEG()
            let image = try ImageDecoder.decode(file, source: "a.jpg")
            for processor in [ImageProcessor.siglip(side: 24), .clip(side: 20), .llavaPad(side: 16)] {
                let apart = try processor.process(image)
                let together = try file.withUnsafeBytes { try processor.process(decoding: $0, source: "a.jpg") }
                #expect(apart == together)
            }
        }
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        let change: JSON
        let words: [String]
        var testDescription: String { change.serialized() }
    }

    @Test(arguments: [
        Refusal(
            change: ["image_processor_type": "CLIPImageProcesor"],
            words: ["CLIPImageProcesor", "\"CLIPImageProcessor\""]),
        Refusal(change: ["resample": 9], words: ["\"resample\": 9"]),
        Refusal(change: ["size": ["longest_edge": 4]], words: ["\"size\"", "longest_edge"]),
        Refusal(change: ["size": ["shortest_edge": -1]], words: ["\"size\"", "-1"]),
        Refusal(change: ["image_mean": [0.5, 0.5]], words: ["image_mean"]),
        Refusal(change: ["image_std": [0.5, 0.0, 0.5]], words: ["image_std"]),
        Refusal(change: ["do_resize": "yes"], words: ["do_resize", "yes"]),
        Refusal(change: ["do_resise": true], words: ["do_resise", "do_resize"]),
    ])
    func whatCannotBeFollowedIsNamed(_ refusal: Refusal) throws {
        var object = try #require(ImageProcessor.clip(side: 32).configuration.object)
        for (key, value) in try #require(refusal.change.object) { object[key] = value }
        do {
            _ = try ImageProcessor(configuration: .object(object), source: "model/preprocessor_config.json")
            Issue.record("was read")
        } catch let error as UserError {
            #expect(error.problem.hasPrefix("model/preprocessor_config.json: "))
            for word in refusal.words { #expect(error.description.contains(word), "\(error)") }
        }
    }
}
