import Basics
import Imaging
import NeuralNetwork
import Tokenization

extension ModelBundle {
    /// How this model's pictures are cut and written into text; nil for a language model alone.
    public var pictureLayout: PictureLayout? {
        guard let processor, let vision = model.configuration.vision else { return nil }
        return PictureLayout(
            processor: processor, tokenizer: tokenizer, imageTokenID: imageTokenID, tokensPerTile: imageTokenCount,
            grid: (pictureHeight / vision.patchSize, pictureWidth / vision.patchSize),
            style: model.configuration.layout, names: pictureTokens)
    }

    /// The processor of a folder: its own file, the part of `processor_config.json`, or what `config.json` says.
    static func processor(_ folder: String, _ family: ModelFamily) throws -> ImageProcessor? {
        guard let vision = family.configuration.vision else { return nil }
        if family.configuration.layout == .nanoVLM {
            if let side = family.pictures?.maximumSide {
                return .nanoVLM(
                    tile: vision.imageSize, maximumSide: side, upscales: family.pictures?.upscales ?? false)
            }
            return ImageProcessor(
                resize: .exact(PixelSize(square: vision.imageSize)), filter: .bilinear, normalization: nil)
        }
        var processor: ImageProcessor?
        for place in [folder] + (family.towerName.map { [$0] } ?? []) {
            for name in ["preprocessor_config.json", "processor_config.json"] where processor == nil {
                let path = Paths.join(place, name)
                guard Files.exists(path) else { continue }
                let json = try JSON.read(path)
                if name == "processor_config.json", json["image_processor"]?.object == nil { continue }
                processor = try ImageProcessor(configuration: json, source: path)
            }
        }
        guard let settings = family.pictures, family.towerName != nil else { return processor }
        var original = processor ?? .clip(side: vision.imageSize)
        if settings.pads { original.padding = .mean }
        if family.configuration.layout == .llavaNext {
            original.tiling = .anyResolution(
                candidates: (settings.pinpoints ?? []).compactMap { pair in
                    pair.count == 2 ? PixelSize(width: pair[0], height: pair[1]) : nil
                }, tile: vision.imageSize, base: PixelSize(square: vision.imageSize))
        }
        return original
    }

    /// Model, tokenizer and processor fit each other.
    func check(_ source: String) throws {
        let configuration = model.configuration
        let rows = configuration.language.vocabularySize
        guard tokenizer.vocabularySize <= rows else {
            throw UserError(
                "\(source): the tokenizer has \(tokenizer.vocabularySize) tokens, the embedding \(rows) rows",
                fix: "use the tokenizer that the model was trained with, or let the embedding grow (grow_vocabulary)")
        }
        guard let vision = configuration.vision else { return }
        guard let processor else {
            throw UserError(
                "\(source): preprocessor_config.json is missing, so how pictures are cut and normalised is not known",
                fix: "copy the file from the model's publisher")
        }
        guard pictureHeight >= vision.patchSize, pictureWidth >= vision.patchSize else {
            throw UserError(
                "\(source): pictures of \(pictureWidth)×\(pictureHeight) hold no patch of \(vision.patchSize) pixels",
                fix: "correct preprocessor_config.json")
        }
        guard max(pictureHeight, pictureWidth) <= 8 * vision.imageSize else {
            throw UserError(
                "\(source): pictures of \(pictureWidth)×\(pictureHeight) pixels for a tower of \(vision.imageSize)",
                fix:
                    "correct preprocessor_config.json: a picture may be at most eight times what the tower was made for"
            )
        }
        try checkTiles(processor, patch: vision.patchSize, published["image_grid_pinpoints"], source)
    }

    private func checkTiles(_ processor: ImageProcessor, patch: Int, _ pinpoints: JSON?, _ source: String) throws {
        func fail(_ problem: String) -> UserError {
            UserError("\(source): \(problem)", fix: "take preprocessor_config.json and config.json from one publisher")
        }
        let configuration = model.configuration
        if case .pixelShuffle(let factor) = configuration.projector {
            guard pictureHeight / patch % factor == 0, pictureWidth / patch % factor == 0 else {
                throw fail(
                    "pictures of \(pictureWidth)×\(pictureHeight) in patches of \(patch) do not divide into squares of "
                        + "\(factor) × \(factor) patches")
            }
        }
        switch (configuration.layout, processor.tiling) {
        case (.llavaNext, .anyResolution(let candidates, let tile, _)):
            guard tile == configuration.vision?.imageSize else {
                throw fail("tiles of \(tile) pixels for a tower of \(configuration.vision?.imageSize ?? 0)")
            }
            let sizes = pinpoints?.array?.compactMap { pair -> PixelSize? in
                guard let height = pair[0]?.int, let width = pair[1]?.int else { return nil }
                return PixelSize(width: width, height: height)
            }
            if let sizes, sizes != candidates, published["mm_vision_tower"] == nil {
                throw fail("\"image_grid_pinpoints\" differ between config.json and the processor")
            }
        case (.llavaNext, _): throw fail("LLaVA-NeXT needs a processor that cuts tiles (LlavaNextImageProcessor)")
        case (.llava, .none), (.paliGemma, .none), (.idefics3, _), (.smolVLM, _), (.nanoVLM, _), (.decoder, _): break
        case (.llava, _), (.paliGemma, _):
            throw fail("the processor cuts pictures into tiles, which this model takes whole")
        }
    }
}
