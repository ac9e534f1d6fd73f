import Basics

/// What the ending of a file's name says about the picture in it.
///
/// Converters that find pictures by their names take those that are decoded, and tell those that are not: a picture that
/// is passed over without a word would leave its text to be learned alone.
enum PictureName {
    /// Endings of PNG and JPEG files.
    private static let decoded: Set<String> = ["png", "jpg", "jpeg", "jpe", "jfif"]
    /// Endings of pictures in other formats; `img` is what shards call a picture of which the format was not known.
    private static let others: Set<String> = [
        "webp", "gif", "bmp", "tif", "tiff", "heic", "heif", "avif", "jp2", "jxl", "ppm", "pgm", "pbm", "pnm", "tga",
        "ico", "svg", "img",
    ]

    /// Whether a name ends like that of a PNG or JPEG file.
    static func isDecoded(_ name: String) -> Bool { decoded.contains(Paths.fileExtension(name).lowercased()) }

    /// What is wrong with a picture in a format that is not decoded, by its name; nil for all other files.
    static func fault(of name: String) -> EntryFault? {
        let ending = Paths.fileExtension(name).lowercased()
        guard others.contains(ending) else { return nil }
        return EntryFault(
            "the picture is a .\(ending) file, and only PNG and JPEG are decoded",
            fix: "write it as PNG or JPEG, or pass --lenient to leave it out")
    }

    /// What is wrong with a picture of which an archive has no bytes in one piece.
    static let memberFault = EntryFault(
        "the picture is a link that leads out of the archive, or a sparse member",
        fix: "make the archive again with tar --dereference and without --sparse, or pass --lenient to leave it out")
}
