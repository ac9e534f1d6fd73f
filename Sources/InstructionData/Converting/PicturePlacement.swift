import Basics

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What a written record calls its pictures, so that a reader finds them from the data file's own folder.
///
/// Pictures under the output's folder are named by their relative path. Others are reached through one link beside the
/// output, `<output's name>-images`, or are copied into a folder of that name. Where that name leads to other pictures that
/// another data file beside the output still names, it is `<output's name>-images-2`, and so on.
struct PicturePlacement: Sendable {
    private let outputFolder: String
    private let beside: String
    /// Names of the files that this output replaces, which need their pictures no longer.
    private let replaced: Set<String>
    private let copies: Bool
    private var root = "."
    private(set) var prefix = ""
    private var copied: Set<String> = []
    /// Copies that were not there before, the first one first.
    private var made: [String] = []
    private var needsLink = false

    /// - Parameters:
    ///   - output: the data file to be written.
    ///   - others: files that are written with it.
    init(output: String, others: [String] = [], copies: Bool) {
        outputFolder = Paths.parent(output)
        let folder = Files.resolved(outputFolder)
        let written = [output] + others.filter { Files.resolved(Paths.parent($0)) == folder }
        replaced = Set(written.map { Paths.name($0) })
        beside = Paths.stem(output) + "-images"
        self.copies = copies
    }

    /// Sets the folder or archive that pictures are relative to.
    mutating func setRoot(_ path: String) {
        root = path
        let folder = Files.resolved(outputFolder)
        let target = Files.resolved(path)
        let inside = folder == "/" ? "/" : folder + "/"
        (prefix, needsLink) = ("", false)
        if !copies, target == folder { return }
        if !copies, target.hasPrefix(inside) {
            prefix = String(target.utf8.dropFirst(inside.utf8.count)) ?? beside
            return
        }
        let suffix = ImageReference.archiveSuffixes.first { path.hasSuffix($0) } ?? ""
        needsLink = !copies
        var number = 1
        prefix = beside + suffix
        while !isFree(prefix, for: target) {
            number += 1
            prefix = "\(beside)-\(number)\(suffix)"
        }
    }

    /// Whether a name can be given to the pictures: nothing is there, or these pictures are, or others that no file needs.
    private func isFree(_ name: String, for target: String) -> Bool {
        let place = Paths.join(outputFolder, name)
        var status = stat()
        guard lstat(place, &status) == 0 else { return true }
        if status.st_mode & S_IFMT == S_IFLNK {
            // Copies must not go through a link into the folder that it leads to.
            return !copies && (Files.resolved(place) == target || !isNamed(name))
        }
        return !copies || !isNamed(name)
    }

    /// Whether a file beside the output that is not replaced names pictures of this folder or archive. A look at the
    /// beginning of a data file shows it: its records name theirs alike.
    private func isNamed(_ name: String) -> Bool {
        let words = ["/", "#"].map { Array("\"\(name)\($0)".utf8) }
        let files = (try? Files.list(outputFolder, leaveOut: { _ in })) ?? []
        return files.contains { file in
            let path = Paths.join(outputFolder, file)
            guard !file.hasPrefix("."), !replaced.contains(file), Files.isRegularFile(path),
                let mapped = try? MappedFile(path)
            else { return false }
            return words.contains { mapped.bytes.prefix(1 << 20).firstOffset(of: $0) != nil }
        }
    }

    /// The name of a picture in the output; copies it when asked to.
    mutating func placed(_ image: ImageReference) throws -> ImageReference {
        let target = named(image)
        guard copies else { return target }
        let source = source(of: image)
        if copied.insert(source.path).inserted { try copy(source.path, to: Paths.join(outputFolder, target.path)) }
        return target
    }

    /// The name of a picture in the output, when nothing is copied.
    func named(_ image: ImageReference) -> ImageReference {
        switch image {
        case .member(let archive, let name):
            // The root is the archive itself, or a folder that holds it.
            let target = archive == root ? prefix : prefix.isEmpty ? archive : Paths.join(prefix, archive)
            return .member(archive: target, name: name)
        case .file(let path): return .file(prefix.isEmpty ? path : Paths.join(prefix, path))
        }
    }

    /// Where a picture lies now.
    func source(of image: ImageReference) -> ImageReference {
        switch image {
        case .member(let archive, let name):
            .member(archive: archive == root ? root : Paths.join(root, archive), name: name)
        case .file(let path): .file(Paths.join(root, path))
        }
    }

    private mutating func copy(_ source: String, to target: String) throws {
        let file = try MappedFile(source)
        if !Files.exists(target) { made.append(target) }
        try Files.createDirectory(Paths.parent(target))
        try Files.write(file.bytes, to: target)
    }

    /// Takes away what was copied for an output that is not to be, and folders that are empty then.
    func removeCopies() {
        for copy in made { try? Files.remove(copy) }
        for copy in made {
            var folder = Paths.parent(copy)
            while folder != outputFolder, folder != Paths.parent(folder), rmdir(folder) == 0 {
                folder = Paths.parent(folder)
            }
        }
    }

    /// Makes the link; called before the output takes its name, so that no output is there without it.
    func finish() throws {
        guard needsLink else { return }
        let link = Paths.join(outputFolder, prefix)
        var status = stat()
        if lstat(link, &status) == 0, status.st_mode & S_IFMT != S_IFLNK {
            throw UserError(
                "\(link) is in the way of the link to the pictures",
                fix: "move it away, choose another --output, or pass --copy-images")
        }
        // Made beside and renamed, so that a reader never meets a missing link.
        let fresh = Paths.join(outputFolder, ".\(prefix).link-\(getpid())")
        unlink(fresh)
        guard symlink(Files.resolved(root), fresh) == 0 else { throw FileError("write", link) }
        try Files.rename(fresh, to: link)
    }
}
