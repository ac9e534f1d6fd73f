public import Basics

/// Where a picture of a record lies: a file, or a member of a tar archive.
///
/// In JSON it is one string: a path, or `archive.tar#member/name.png` for a member that is read without extraction.
public enum ImageReference: Hashable, Sendable {
    /// A picture file.
    case file(String)
    /// A member of a tar archive (plain or gzip).
    case member(archive: String, name: String)

    /// Reads the textual form: `shard-000.tar#cat.jpg` is a member, everything else is a file.
    public init(_ text: String) {
        guard text.utf8.contains(UInt8(ascii: "#")) else {
            self = .file(text)
            return
        }
        for suffix in Self.archiveSuffixes {
            if let hash = text.firstRange(ofUTF8: suffix + "#") {
                let archive = text[..<text.utf8.index(before: hash.upperBound)]
                let name = text[hash.upperBound...]
                if !name.isEmpty {
                    self = .member(archive: String(archive), name: String(name))
                    return
                }
            }
        }
        self = .file(text)
    }

    /// Endings of file names that are read as tar archives.
    public static let archiveSuffixes = [".tar", ".tar.gz", ".tgz"]

    /// Whether a path names a tar archive, by its ending.
    public static func isArchive(_ path: String) -> Bool { archiveSuffixes.contains { path.hasSuffix($0) } }

    /// The path on disk: of the file, or of the archive.
    public var path: String {
        switch self {
        case .file(let path): path
        case .member(let archive, _): archive
        }
    }

    /// The same picture with its relative path put under a folder; absolute paths stay.
    public func resolved(under folder: String) -> ImageReference {
        func join(_ path: String) -> String {
            if path.hasPrefix("/") || folder.isEmpty || folder == "." { return path }
            return folder.hasSuffix("/") ? folder + path : folder + "/" + path
        }
        switch self {
        case .file(let path): return .file(join(path))
        case .member(let archive, let name): return .member(archive: join(archive), name: name)
        }
    }
}

extension ImageReference {
    /// Refuses what `--images` names where it is no folder.
    public static func requireFolder(_ images: String?) throws(UserError) {
        guard let images, let fault = folderFault(of: images) else { return }
        throw UserError("--images \(fault.problem)", fix: fault.fix)
    }

    /// What is wrong with a folder of pictures that is none.
    public static func folderFault(of images: String) -> UserError? {
        guard !Files.isDirectory(images) else { return nil }
        return UserError(
            "\(images): \(Files.exists(images) ? "that is no folder" : "no such folder")",
            fix: "name the folder of the pictures")
    }
}

extension ImageReference: CustomStringConvertible {
    /// The textual form, as in JSON.
    public var description: String {
        switch self {
        case .file(let path): path
        case .member(let archive, let name): archive + "#" + name
        }
    }
}
