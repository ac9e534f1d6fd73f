import Basics

/// What `--force` may replace.
enum Replacement {
    /// Refuses to replace a folder that was not written by the same kind of command: everything in it would be lost.
    ///
    /// - Parameters:
    ///   - marks: names of which such a folder has one.
    ///   - sources: folders that are read, which must lie neither at the place nor below it.
    static func check(_ output: String, holding marks: [String], than sources: [String] = []) throws {
        try Files.requireName(output)
        let place = Files.resolved(output)
        for source in sources.map(Files.resolved) where source == place || source.hasPrefix(place + "/") {
            throw UserError("\(output) holds what is read, and would be replaced", fix: "name another folder")
        }
        guard Files.isDirectory(output) else { return }
        let names = try Files.list(output, leaveOut: { _ in }).filter { !$0.hasPrefix(".") }
        guard names.isEmpty || marks.contains(where: names.contains) else {
            throw UserError(
                "\(output) holds none of \(marks.joined(separator: ", ")), so --force would remove something else",
                fix: "name another folder, or empty that one first")
        }
    }
}
