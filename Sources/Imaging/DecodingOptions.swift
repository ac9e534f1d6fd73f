/// What is refused before memory is taken for it.
public struct DecodingLimits: Equatable, Sendable {
    /// The largest width and height in pixels, as stored; at most 65,535.
    public var maximumSide = 65_535
    /// The largest number of pixels. The default is the one above which Pillow warns of a decompression bomb.
    public var maximumPixels = 178_956_970
    /// Bytes beside the pixels themselves: coefficients of progressive JPEG files, rows of interlaced PNG files.
    public var maximumWorkingBytes = 1 << 30
    /// Scans of a progressive JPEG file, each of which walks over the whole picture. Encoders write 10 or so.
    public var maximumScans = 100

    /// The defaults.
    public init() {}

    /// The defaults with another limit of pixels.
    public init(maximumPixels: Int) {
        self.maximumPixels = maximumPixels
    }
}

/// How a picture file becomes RGB pixels.
public struct DecodingOptions: Equatable, Sendable {
    /// What to do with transparency (an alpha channel or a transparent colour).
    public enum Alpha: String, Sendable, CaseIterable {
        /// Laid over white: `(c · a + 255 · (255 - a) + 127) / 255` in integers.
        case compositeOnWhite
        /// Not looked at, as by `Image.convert("RGB")` of Pillow, so what is hidden shows. LLaVA reads pictures like this.
        case drop
    }

    /// What to do with transparency.
    public var alpha: Alpha
    /// Whether the EXIF orientation is applied.
    public var appliesOrientation: Bool
    /// When set, a JPEG file may be decoded at a half, a quarter or an eighth of its size, as long as it stays at least
    /// this large (after orientation). Much faster for large photographs that are made small anyway, and not equal to
    /// full decoding. Pillow's `Image.draft` does the same.
    public var sufficientSize: PixelSize?
    /// What is refused.
    public var limits: DecodingLimits

    /// Options; by default orientation is applied and transparency laid over white.
    public init(
        alpha: Alpha = .compositeOnWhite, appliesOrientation: Bool = true, sufficientSize: PixelSize? = nil,
        limits: DecodingLimits = DecodingLimits()
    ) {
        self.alpha = alpha
        self.appliesOrientation = appliesOrientation
        self.sufficientSize = sufficientSize
        self.limits = limits
    }

    /// The largest of 1, 2, 4, 8 that leaves at least the sufficient size.
    func scaleDenominator(for header: ImageHeader) -> Int {
        guard let sufficientSize, header.format == .jpeg else { return 1 }
        let size = appliesOrientation ? header.size : header.storedSize
        let room = min(size.width / max(1, sufficientSize.width), size.height / max(1, sufficientSize.height))
        return [8, 4, 2].first { $0 <= room } ?? 1
    }
}
