import Basics
import Imaging
import Tokenization

/// Data sets together with the recipe that turns their records into samples.
public struct SampleSource: Sendable {
    /// The data sets, in the order of the mixture's components.
    public var datasets: [InstructionDataset]
    /// How a record becomes a sample.
    public var recipe: any SampleRecipe
    /// Where pictures come from.
    public var images: ImageStore
    /// Puts the questions of a record into another order each epoch, when set.
    public var turns: TurnShuffler?
    /// Keeps processed pictures, when set.
    public var cache: PictureCache?

    /// Makes a source.
    public init(
        datasets: [InstructionDataset], recipe: any SampleRecipe, images: ImageStore = ImageStore(),
        turns: TurnShuffler? = nil, cache: PictureCache? = nil
    ) {
        self.datasets = datasets
        self.recipe = recipe
        self.images = images
        self.turns = turns
        self.cache = cache
    }

    /// Reads, tokenises and decodes one record.
    /// - Throws: a `Problem` with the record's file and line.
    public func sample(
        at position: Int, index: SampleIndex, repairs: inout [Repair]
    ) throws -> Sample {
        let dataset = datasets[index.component]
        let record = try dataset.record(at: index.record, repairs: &repairs)
        do {
            let conversation = turns?.arranged(record.conversation, index: index) ?? record.conversation
            let sizes =
                try recipe.needsPictureSizes
                ? record.images.map { image in
                    try images.withBytes(of: image) {
                        try ImageProcessor.pictureSize($0, source: image.description)
                    }
                } : []
            let text = try recipe.render(conversation, imageCount: record.images.count, sizes: sizes)
            guard text.supervisedCount > 0 else {
                throw UserError(
                    "no token of the answers is left to learn from"
                        + (text.cutTokens > 0 ? " (\(text.cutTokens.counted("token")) cut)" : ""),
                    fix: "raise the length limit, or remove the record")
            }
            guard text.imageSpans.count + text.cutImages == record.images.count else {
                throw UserError(
                    "the text holds \(text.imageSpans.count.counted("picture")), the record \(record.images.count)",
                    fix: "remove the record")
            }
            // A cut takes the last pictures with it; those left are the first ones.
            let pixels = try record.images.prefix(text.imageSpans.count).map { try self.pixels(of: $0) }
            return Sample(
                position: position, index: index, id: record.id, text: text, pixels: pixels,
                sizes: Array(sizes.prefix(pixels.count)))
        } catch {
            let (reason, fix) = Self.words(of: error)
            throw RecordError(path: dataset.path, line: dataset.line(at: index.record), reason: reason, fix: fix)
        }
    }

    /// The processed pixels of a picture, from the cache when it has them.
    public func pixels(of image: ImageReference) throws -> Pixels {
        if let kept = cache?.pixels(of: image) { return kept }
        let pixels = try images.withBytes(of: image) { bytes in
            try recipe.pixels(ofEncoded: bytes, name: image.description)
        }
        cache?.store(pixels, of: image)
        return pixels
    }

    /// The problem and fix of any error.
    static func words(of error: any Error) -> (problem: String, fix: String?) {
        if let problem = error as? any Problem { return (problem.problem, problem.fix) }
        return (String(describing: error), nil)
    }
}
