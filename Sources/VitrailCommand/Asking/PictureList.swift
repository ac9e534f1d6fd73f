import Basics
import InstructionData

/// The pictures that a command's arguments name: files, folders, patterns, tar archives, and lists of them.
struct PictureList {
    /// The pictures, in the order of the arguments, folders and archives in the order of names.
    private(set) var pictures: [ImageReference] = []
    /// Pictures and folders that were told of and left out: no text can name them, or they may not be read.
    private(set) var leftOut = 0
    /// Holds the archives open that were looked into, inflated where they are gzipped.
    let store = ImageStore()

    /// Endings of files that a folder is searched for; a file named directly may have any.
    private static let endings: Set<String> = ["png", "jpg", "jpeg", "jpe", "jfif"]

    /// The pictures that arguments name.
    init(_ arguments: [String]) throws {
        for argument in arguments { pictures += try expand(argument) }
    }

    /// Adds those of a list: a path a line, or the `image` of a line of JSONL.
    mutating func read(_ path: String, images folder: String?) throws {
        let base = folder ?? Files.folder(of: path)
        let named = try Files.readLines(path).map { line in
            guard line.text.first == "{" else { return ImageReference(line.text).resolved(under: base) }
            let source = "\(path):\(line.number)"
            guard let name = try JSON.parse(line.text, line: line.number, of: path)["image"]?.string, !name.isEmpty
            else {
                throw UserError("\(source): no \"image\"", fix: "each line is a path, or an object with an \"image\"")
            }
            return ImageReference(name).resolved(under: base)
        }
        guard !named.isEmpty else {
            throw UserError("\(path) names no picture", fix: "write a path a line, or {\"image\": …}")
        }
        pictures += named
    }

    private mutating func expand(_ argument: String) throws -> [ImageReference] {
        if Files.isDirectory(argument) {
            let before = leftOut
            let found = try search(argument)
            guard !found.isEmpty || leftOut > before else {
                throw UserError(
                    "\(argument): no PNG or JPEG files in this folder", fix: "name another folder, or the files")
            }
            return found
        }
        if ImageReference.isArchive(argument), Files.exists(argument) {
            return try members(argument)
        }
        if Files.exists(argument) { return [.file(argument)] }
        let reference = ImageReference(argument)
        if case .member = reference { return [reference] }
        var odd: [String] = []
        let matches = try Files.expandGlob(argument) { odd.append($0) }
        // What the shell made of a pattern arrives with U+FFFD in the place of odd bytes.
        if matches.isEmpty, argument.contains("\u{FFFD}") { odd.append(argument) }
        for path in odd { leaveOut(path, Files.unreadableName(path)) }
        guard !matches.isEmpty || !odd.isEmpty else {
            if argument.isEmpty {
                throw UserError("a picture's path is empty", fix: "is a variable of the shell not set?")
            }
            throw UserError(
                "\(argument): no such file or folder",
                fix: argument == "-"
                    ? "write /dev/stdin for a picture that comes through a pipe"
                    : "check the path; patterns such as 'photos/*.jpg' work too")
        }
        return try matches.flatMap { match -> [ImageReference] in
            if ImageReference.isArchive(match) { return try members(match) }
            guard Files.isDirectory(match) else { return [.file(match)] }
            do { return try search(match) } catch let error as FileError {
                leaveOut(match, error)
                return []
            }
        }
    }

    /// The pictures of an archive. Names that are not UTF-8 could stand for others.
    private mutating func members(_ archive: String) throws -> [ImageReference] {
        let before = leftOut
        let reader = try store.reader(of: archive)
        for name in reader.unreadable where Self.isPicture(name) {
            leaveOut("\(archive)#\(name)", reader.problem(ofUnreadable: name))
        }
        let names = reader.names.filter(Self.isPicture).sorted()
        for name in names where name.contains("\u{FFFD}") {
            leaveOut("\(archive)#\(name)", Files.unreadableName("\(archive)#\(name)"))
        }
        let readable = names.filter { !$0.contains("\u{FFFD}") }
        guard !readable.isEmpty || leftOut > before else {
            throw UserError("\(archive): no PNG or JPEG files in this archive", fix: "name another, or the files")
        }
        return readable.map { .member(archive: archive, name: $0) }
    }

    private mutating func search(_ folder: String) throws -> [ImageReference] {
        var odd: [(path: String, problem: any Problem)] = []
        let found = try Files.tree(folder) { odd.append((Paths.join(folder, $0), $1)) }
        for (path, problem) in odd { leaveOut(path, problem) }
        return found.filter(Self.isPicture).map { Paths.join(folder, $0) }.filter { isFile($0) }.map { .file($0) }
    }

    /// Whether a name in a folder is a file, or a link to nothing, which is told when it is read; a pipe would be waited for.
    private mutating func isFile(_ path: String) -> Bool {
        if Files.isRegularFile(path) || !Files.exists(path) { return true }
        leftOut += 1
        Console.report(
            UserError("\(path) is a pipe or a device, not a picture's file", fix: "take it out of the folder"))
        return false
    }

    private mutating func leaveOut(_ path: String, _ problem: any Problem) {
        // Other files of a folder would be passed over anyway; what lies in a folder of such a name is not known.
        guard problem is FileError || Self.isPicture(path) || Paths.fileExtension(path).isEmpty else { return }
        leftOut += 1
        Console.report(problem)
    }

    private static func isPicture(_ name: String) -> Bool {
        endings.contains(Paths.fileExtension(name).lowercased())
    }
}
