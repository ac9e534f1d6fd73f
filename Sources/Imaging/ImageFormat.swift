internal import CImageCodecs

/// The file formats that can be read and written.
public enum ImageFormat: String, Sendable, CaseIterable {
    /// Portable Network Graphics.
    case png = "PNG"
    /// JPEG (JFIF, EXIF or bare; the first picture of an MPO file).
    case jpeg = "JPEG"

    /// The format that the first bytes show, whatever the file is called; nil when it is another.
    public init?(magic bytes: UnsafeRawBufferPointer) {
        if bytes.starts(with: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) {
            self = .png
        } else if bytes.starts(with: [0xff, 0xd8]) {
            self = .jpeg
        } else {
            return nil
        }
    }

    /// What files of this format are usually called: `png`, `jpg`.
    public var fileExtension: String { self == .png ? "png" : "jpg" }

    var codec: vitrail_codec { self == .png ? VITRAIL_CODEC_PNG : VITRAIL_CODEC_JPEG }
}

extension ImageFormat {
    /// The format of `bytes`, or an error that says what they look like instead.
    init(of bytes: UnsafeRawBufferPointer, source: String) throws(ImageError) {
        if let format = ImageFormat(magic: bytes) {
            self = format
            return
        }
        throw ImageError(
            .unknownFormat, source: source, detail: ImageFormat.describe(bytes),
            fix: bytes.isEmpty ? "get the file again, or leave it out" : "convert it to PNG or JPEG, or leave it out")
    }

    private static func describe(_ bytes: UnsafeRawBufferPointer) -> String {
        let known: [(name: String, magic: [UInt8], offset: Int)] = [
            ("GIF", Array("GIF8".utf8), 0), ("WebP", Array("WEBP".utf8), 8), ("BMP", Array("BM".utf8), 0),
            ("TIFF", [0x49, 0x49, 0x2a, 0x00], 0), ("TIFF", [0x4d, 0x4d, 0x00, 0x2a], 0),
            ("HEIF or AVIF", Array("ftyp".utf8), 4), ("PDF", Array("%PDF".utf8), 0), ("SVG", Array("<svg".utf8), 0),
            ("HTML", Array("<!DO".utf8), 0), ("HTML", Array("<htm".utf8), 0), ("gzip", [0x1f, 0x8b], 0),
            ("a zip archive", Array("PK\u{3}\u{4}".utf8), 0), ("a tar archive", Array("ustar".utf8), 257),
            ("a program", [0x7f, 0x45, 0x4c, 0x46], 0), ("GGUF", Array("GGUF".utf8), 0),
            ("Git LFS's pointer to a file", Array("version https://git-lfs".utf8), 0),
        ]
        if bytes.isEmpty { return "it is empty" }
        for (name, magic, offset) in known where bytes.dropFirst(offset).starts(with: magic) {
            return "it looks like \(name)"
        }
        let isText = bytes.prefix(512).allSatisfy { $0 >= 0x20 && $0 != 0x7f || (0x09...0x0d).contains($0) }
        if isText { return "it looks like text" }
        let first = bytes.prefix(4).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }
        return "it begins with the bytes \(first.joined(separator: " "))"
    }
}
