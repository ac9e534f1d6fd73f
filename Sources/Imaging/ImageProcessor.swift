/// From a picture to what a vision tower takes: pad, resize, crop, scale, normalise, in this order.
///
/// Each step is that of the slow (Pillow) processors of Hugging Face transformers, in their arithmetic: resizing on
/// bytes as Pillow does it, then `value × rescaleFactor` in float64 rounded to float32, then `(value - mean) / std` in
/// float32.
public struct ImageProcessor: Equatable, Sendable {
    /// To which size a picture is brought.
    public enum Resize: Equatable, Sendable {
        /// To this size, whatever the aspect ratio (SigLIP).
        case exact(PixelSize)
        /// So that the shorter side has this many pixels; the longer side is rounded down (CLIP).
        case shortestEdge(Int)
    }

    /// Padding to a square before anything else, the picture in the middle (LLaVA's `pad`).
    public enum Background: Equatable, Sendable {
        /// The colour `int(255 × mean)`.
        case mean
        /// A colour of its own.
        case colour(red: UInt8, green: UInt8, blue: UInt8)
    }

    /// Mean and standard deviation of the channels R, G, B on the scale after rescaling.
    public struct Normalization: Equatable, Sendable {
        /// What is subtracted.
        public var mean: [Double]
        /// What is divided by.
        public var standardDeviation: [Double]

        /// Three values each.
        public init(mean: [Double], standardDeviation: [Double]) {
            precondition(
                mean.count == 3 && standardDeviation.count == 3,
                "Normalization: \(mean.count) means and \(standardDeviation.count) deviations for 3 channels")
            self.mean = mean
            self.standardDeviation = standardDeviation
        }

        /// The values of OpenAI's CLIP, also those of LLaVA.
        public static let clip = Normalization(
            mean: [0.48145466, 0.4578275, 0.40821073],
            standardDeviation: [0.26862954, 0.26130258, 0.27577711])
        /// One half each: to -1...1. SigLIP and Idefics3.
        public static let half = Normalization(mean: [0.5, 0.5, 0.5], standardDeviation: [0.5, 0.5, 0.5])
    }

    /// The colour around a picture that is made square first; nil leaves it as it is.
    public var padding: Background?
    /// To which size a picture is brought; nil leaves it.
    public var resize: Resize?
    /// The kernel for resizing.
    public var filter: ResampleFilter
    /// The part that is cut out of the middle after resizing; nil keeps all. Beyond the picture it is black.
    public var centerCrop: PixelSize?
    /// What the bytes are multiplied by, 1/255 nearly always; nil leaves them.
    public var rescaleFactor: Double?
    /// Mean and deviation; nil leaves the values.
    public var normalization: Normalization?
    /// How one picture becomes several tiles, each of which goes through the tower.
    public var tiling: Tiling

    /// A processor with these steps.
    public init(
        padding: Background? = nil, resize: Resize?, filter: ResampleFilter = .bicubic, centerCrop: PixelSize? = nil,
        rescaleFactor: Double? = 1.0 / 255, normalization: Normalization?, tiling: Tiling = .none
    ) {
        self.padding = padding
        self.resize = resize
        self.filter = filter
        self.centerCrop = centerCrop
        self.rescaleFactor = rescaleFactor
        self.normalization = normalization
        self.tiling = tiling
    }

    /// SigLIP: squeezed to a square of `side` pixels, values from -1 to 1.
    public static func siglip(side: Int, filter: ResampleFilter = .bicubic) -> ImageProcessor {
        ImageProcessor(resize: .exact(PixelSize(square: side)), filter: filter, normalization: .half)
    }

    /// CLIP: the shorter side to `side` pixels and the middle square of it.
    public static func clip(side: Int) -> ImageProcessor {
        ImageProcessor(
            resize: .shortestEdge(side), centerCrop: PixelSize(square: side), normalization: .clip)
    }

    /// LLaVA-1.5 with `image_aspect_ratio: pad`: padded to a square of the mean colour, then as CLIP.
    public static func llavaPad(side: Int) -> ImageProcessor {
        var processor = clip(side: side)
        processor.padding = .mean
        return processor
    }

    /// nanoVLM: cut into tiles of `tile` pixels, values from 0 to 1 without normalisation.
    public static func nanoVLM(tile: Int, maximumSide: Int, upscales: Bool = false) -> ImageProcessor {
        ImageProcessor(
            resize: nil, normalization: nil,
            tiling: .dynamic(tile: tile, maximumSide: maximumSide, upscales: upscales))
    }
}
