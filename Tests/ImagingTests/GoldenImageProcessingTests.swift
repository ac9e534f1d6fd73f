import Basics
import Imaging
import TestSupport
import Testing

/// The fixtures of `image-processing`: decoding, resizing and the CLIP, LLaVA and SigLIP processors of transformers.
struct GoldenImageProcessingTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let folder: String
        let name: String
        var testDescription: String { name }
    }

    static let folders = Fixtures.golden(holding: "index.json", "codecs.json")

    static func cases(_ index: String, _ key: String) -> [Case] {
        folders.flatMap { folder -> [Case] in
            guard let json = try? JSON.read(Paths.join(folder, index)) else { return [] }
            return (json[key]?.object?.keys ?? []).map { Case(folder: folder, name: $0) }
        }
    }

    /// The processor that the name of a pipeline, its result's shape and the index describe: `clip…`, `pad…`, `siglip…`.
    static func processor(_ pipeline: String, _ index: JSON, _ expected: JSON?) throws -> ImageProcessor {
        let side = try #require(expected?["shape"]?.array?.last?.int)
        let family = try #require(index[pipeline.hasPrefix("siglip") ? "siglip" : "clip"])
        func values(_ key: String) throws -> [Double] {
            try #require(family[key]?.array).compactMap(\.double)
        }
        let isSiglip = pipeline.hasPrefix("siglip")
        var processor = isSiglip ? ImageProcessor.siglip(side: side) : .clip(side: side)
        if pipeline.hasPrefix("pad") { processor = .llavaPad(side: side) }
        processor.normalization = ImageProcessor.Normalization(
            mean: try values("image_mean"), standardDeviation: try values("image_std"))
        return processor
    }

    @Test(.enabled(if: !folders.isEmpty), arguments: cases("index.json", "images"))
    func pipelineEqualsTransformers(_ item: Case) throws {
        let index = try JSON.read(Paths.join(item.folder, "index.json"))
        let entry = try #require(index["images"]?[item.name])
        let path = Paths.join(item.folder, try #require(entry["file"]?.string))
        let options = DecodingOptions(alpha: .drop, appliesOrientation: false)
        let image = try ImageDecoder.decode(path: path, options: options)
        #expect(image.digest == entry["decoded_sha256"]?.string)
        for (pipeline, expected) in try #require(entry["pipelines"]?.object) {
            let processor = try Self.processor(pipeline, index, expected)
            let bytes = try processor.processedBytes(of: image)
            #expect(Self.planes(bytes) == expected["uint8_sha256"]?.string, "\(pipeline), bytes")
            let whole = try processor.process(image)
            #expect(Self.digest(whole.values) == expected["float32_sha256"]?.string, "\(pipeline), floats")
            // Decoding and resizing row by row gives the same.
            let file = try Files.read(path)
            let fused = try file.withUnsafeBytes {
                try processor.process(decoding: $0, source: path, options: options)
            }
            #expect(fused == whole, "\(pipeline), fused")
        }
        if let white = entry["white_uint8_sha256"]?.string {
            let composited = try ImageDecoder.decode(path: path)
            let clip = try #require(entry["pipelines"]?.object?.first { $0.key.hasPrefix("clip") })
            let bytes = try Self.processor(clip.key, index, clip.value).processedBytes(of: composited)
            #expect(Self.planes(bytes) == white, "composited on white")
        }
    }

    @Test(.enabled(if: !folders.isEmpty), arguments: folders)
    func resizeEqualsPillow(_ folder: String) throws {
        let tensors = try SafetensorsFixture(Paths.join(folder, "resize.safetensors"))
        let shape = try tensors.shape("in")
        let image = RGBImage(width: shape[1], height: shape[0], pixels: try tensors.bytes("in"))
        for name in tensors.names where name != "in" {
            let filter = try #require(ResampleFilter.allCases.first { name.hasPrefix($0.name + "_") })
            let size = try tensors.shape(name)
            let resized = try image.resized(to: PixelSize(width: size[1], height: size[0]), filter: filter)
            #expect(resized.pixels == (try tensors.bytes(name)), "\(name)")
        }
    }

    @Test(.enabled(if: !folders.isEmpty), arguments: cases("codecs.json", "files"))
    func codecEqualsPillow(_ item: Case) throws {
        let tensors = try SafetensorsFixture(Paths.join(item.folder, "codecs.safetensors"))
        let image = try ImageDecoder.decode(
            path: Paths.join(item.folder, "codecs", item.name),
            options: DecodingOptions(alpha: .drop, appliesOrientation: false))
        #expect([image.height, image.width, 3] == (try tensors.shape(item.name)))
        #expect(image.pixels == (try tensors.bytes(item.name)))
    }

    /// The digest of the planes [3, height, width].
    private static func planes(_ image: RGBImage) -> String {
        SHA256.hex(
            of: (0..<3).flatMap { channel in
                stride(from: channel, to: image.pixels.count, by: 3).map { image.pixels[$0] }
            })
    }

    private static func digest(_ values: [Float]) -> String {
        values.withUnsafeBytes { SHA256.hex(of: $0) }
    }
}
