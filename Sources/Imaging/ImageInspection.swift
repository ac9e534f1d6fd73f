public import Basics

/// What `vitrail inspect PICTURE` says.
public struct ImageInspection: Equatable, Sendable {
    /// What the file's header says.
    public var header: ImageHeader
    /// SHA-256 of the RGB bytes after orientation, in hexadecimal.
    public var digest: String

    /// Decodes the picture and takes the digest of its pixels.
    ///
    /// - Throws: `ImageError` when it is no intact picture.
    public init(
        _ bytes: UnsafeRawBufferPointer, source: String, options: DecodingOptions = DecodingOptions()
    ) throws(ImageError) {
        let (header, image) = try ImageDecoder.decodeWithHeader(bytes, source: source, options: options)
        self.header = header
        digest = image.digest
    }

    /// Decodes a file and takes the digest of its pixels.
    ///
    /// - Throws: `FileError` when it cannot be read, `ImageError` when it is no intact picture.
    public init(path: String, options: DecodingOptions = DecodingOptions()) throws {
        let file = try MappedFile(path)
        try self.init(file.bytes, source: path, options: options)
    }

    /// `{"format": "PNG", "width": …, "height": …, "orientation": 1…8, "rgb_sha256": …, …}`; width and height are those
    /// after orientation.
    public var json: JSON {
        [
            "format": .string(header.format.rawValue), "width": .int(header.size.width),
            "height": .int(header.size.height), "orientation": .int(header.orientation.rawValue),
            "stored_width": .int(header.storedSize.width), "stored_height": .int(header.storedSize.height),
            "bit_depth": .int(header.bitDepth), "colour": .string(header.colour),
            "progressive": .bool(header.isProgressive), "rgb_sha256": .string(digest),
        ]
    }
}

extension RGBImage {
    /// SHA-256 of the pixels, in hexadecimal.
    public var digest: String {
        pixels.withUnsafeBytes { SHA256.hex(of: $0) }
    }
}
