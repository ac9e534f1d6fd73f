internal import Basics

/// What the first part of a picture file says, read without decoding a pixel.
public struct ImageHeader: Equatable, Sendable {
    /// PNG or JPEG, by the first bytes.
    public var format: ImageFormat
    /// The size of the pixels in the file, before the orientation is applied.
    public var storedSize: PixelSize
    /// How the stored picture is to be turned.
    public var orientation: Orientation
    /// Bits of a sample: 1, 2, 4, 8, 16 in PNG, mostly 8 in JPEG.
    public var bitDepth: Int
    /// `gray`, `gray and alpha`, `palette`, `RGB`, `RGB and alpha`, `YCbCr` (three JPEG components) or `CMYK` (four).
    public var colour: String
    /// Whether the file is interlaced (PNG) or progressive (JPEG).
    public var isProgressive: Bool

    /// The size after the orientation is applied.
    public var size: PixelSize { orientation.exchangesSides ? storedSize.transposed : storedSize }

    /// Reads the header of a picture in memory. `source` names it in errors.
    ///
    /// - Throws: `ImageError` when the bytes are no PNG or JPEG file or end before the size.
    public init(bytes: UnsafeRawBufferPointer, source: String) throws(ImageError) {
        let format = try ImageFormat(of: bytes, source: source)
        let reader = ByteReader(bytes)
        guard let header = format == .png ? ImageHeader(png: reader) : ImageHeader(jpeg: reader) else {
            throw ImageError(
                .corrupt, source: source, detail: "its header is cut short or malformed",
                fix: "get the file again, or leave it out")
        }
        self = header
    }

    /// Reads the header of a file.
    ///
    /// - Throws: `FileError` when it cannot be read, `ImageError` when it is no PNG or JPEG file.
    public init(path: String) throws {
        let file = try MappedFile(path)
        try self.init(bytes: file.bytes, source: path)
    }

    init(format: ImageFormat, storedSize: PixelSize, bitDepth: Int, colour: String, isProgressive: Bool) {
        self.format = format
        self.storedSize = storedSize
        self.orientation = .upright
        self.bitDepth = bitDepth
        self.colour = colour
        self.isProgressive = isProgressive
    }
}
