internal import Basics

/// Reads PNG and JPEG files of every kind as RGB pixels.
///
/// The format is told by the bytes, not by the name. What is damaged is refused: a picture comes out whole or not at
/// all. PNG: every colour type and depth (the high byte of 16-bit samples), palettes, transparency, interlacing. JPEG:
/// baseline, progressive and arithmetic, gray, YCbCr, RGB, CMYK and YCCK with Adobe's inversion, all subsamplings,
/// decoded like Pillow with libjpeg-turbo. Colour profiles and gamma are ignored.
public enum ImageDecoder {
    /// Decodes a picture in memory. `source` names it in errors.
    ///
    /// - Throws: `ImageError`.
    public static func decode(
        _ bytes: UnsafeRawBufferPointer, source: String, options: DecodingOptions = DecodingOptions()
    ) throws(ImageError) -> RGBImage {
        try decodeWithHeader(bytes, source: source, options: options).image
    }

    /// Decodes a picture in memory. `source` names it in errors.
    ///
    /// - Throws: `ImageError`.
    public static func decode(
        _ bytes: [UInt8], source: String, options: DecodingOptions = DecodingOptions()
    ) throws -> RGBImage {
        try bytes.withUnsafeBytes { try decode($0, source: source, options: options) }
    }

    /// Decodes a file, which is mapped into memory for it.
    ///
    /// - Throws: `FileError` when it cannot be read, `ImageError` when it is no intact picture.
    public static func decode(path: String, options: DecodingOptions = DecodingOptions()) throws -> RGBImage {
        let file = try MappedFile(path)
        return try decode(file.bytes, source: path, options: options)
    }

    static func decodeWithHeader(
        _ bytes: UnsafeRawBufferPointer, source: String, options: DecodingOptions
    ) throws(ImageError) -> (header: ImageHeader, image: RGBImage) {
        let header = try ImageHeader(bytes: bytes, source: source)
        let decoder = try PictureDecoder(bytes, header: header, options: options, source: source)
        let stored = try RGBImage(size: decoder.size) { (out) throws(ImageError) in
            // An empty buffer has no base address; pictures have at least one pixel.
            guard let base = out.baseAddress else { return }
            try decoder.read(into: base, stride: decoder.size.width * 3, rows: decoder.size.height)
        }
        return (header, options.appliesOrientation ? stored.oriented(header.orientation) : stored)
    }
}
