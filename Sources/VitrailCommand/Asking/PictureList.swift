import Basics
import InstructionData

/// The pictures that a command's arguments name: files, folders, patterns, tar archives, and lists of them.
enum PictureList {
    /// Endings of files that a folder is searched for; a file named directly may have any.
    private static let endings: Set<String> = ["png", "jpg", "jpeg", "jpe", "jfif"]

    /// All pictures, in the order of the arguments, folders and archives in the order of names.
    static func expand(_ arguments: [String]) throws -> [ImageReference] {
        try arguments.flatMap { try expand($0) }
    }

    /// Pictures named in a list: a path a line, or the `image` of a line of JSONL.
    static func read(_ path: String, images folder: String?) throws -> [ImageReference] {
        let text = try Files.readText(path)
        let base = folder ?? Paths.parent(path)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
        let pictures = try lines.compactMap { number, line -> ImageReference? in
            let line = line.hasSuffix("\r") ? line.dropLast() : line
            guard !line.allSatisfy(\.isWhitespace) else { return nil }
            guard line.first == "{" else { return ImageReference(String(line)).resolved(under: base) }
            let source = "\(path):\(number + 1)"
            guard let name = try JSON.parse(String(line), source: source)["image"]?.string else {
                throw UserError("\(source): no \"image\"", fix: "each line is a path, or an object with an \"image\"")
            }
            return ImageReference(name).resolved(under: base)
        }
        guard !pictures.isEmpty else {
            throw UserError("\(path) names no picture", fix: "write a path a line, or {\"image\": …}")
        }
        return pictures
    }

    private static func expand(_ argument: String) throws -> [ImageReference] {
        if Files.isDirectory(argument) {
            let found = try search(argument)
            guard !found.isEmpty else {
                throw UserError(
                    "\(argument): no PNG or JPEG files in this folder", fix: "name another folder, or the files")
            }
            return found
        }
        if ImageReference.isArchive(argument), Files.exists(argument) {
            return try TarReader(argument).entries.map(\.name)
                .filter { endings.contains(Paths.fileExtension($0).lowercased()) }.sorted()
                .map { .member(archive: argument, name: $0) }
        }
        if Files.exists(argument) { return [.file(argument)] }
        let reference = ImageReference(argument)
        if case .member = reference { return [reference] }
        let matches = try Files.expandGlob(argument)
        guard !matches.isEmpty else {
            throw UserError(
                "\(argument): no such file or folder", fix: "check the path; patterns such as 'photos/*.jpg' work too")
        }
        return try matches.flatMap { try Files.isDirectory($0) ? search($0) : [.file($0)] }
    }

    private static func search(_ folder: String) throws -> [ImageReference] {
        try Files.tree(folder).filter { endings.contains(Paths.fileExtension($0).lowercased()) }
            .map { .file(Paths.join(folder, $0)) }
    }
}
