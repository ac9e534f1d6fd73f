package import Basics

/// Records of one or several data sets on their way into one file, with pictures that a reader finds from there.
///
/// Lines are made side by side (``write(_:from:to:)`` only reads), and written in order.
package final class RecordOutput: @unchecked Sendable {
    // Sendable: `prefixes` never changes; one thread writes and commits.

    /// The file to be written.
    package let path: String
    let file: LineFile
    private let placement: PicturePlacement
    private let prefixes: [String]

    /// - Parameter folders: the picture folders of the data sets, by their number; none when no record has pictures.
    package convenience init(_ path: String, folders: [String]) throws {
        try self.init(path, folders: folders, file: LineFile(path))
    }

    /// - Parameter file: the file, opened.
    init(_ path: String, folders: [String], file: LineFile) throws {
        self.path = path
        self.file = file
        let resolved = folders.map { Files.resolved($0) }
        let root = Self.commonAncestor(of: resolved)
        var placement = PicturePlacement(output: path, copies: false)
        if !folders.isEmpty { placement.setRoot(root) }
        self.placement = placement
        prefixes = resolved.map { folder in
            let rest = String(decoding: folder.utf8.dropFirst(root.utf8.count), as: UTF8.self)
            let inner = rest.hasPrefix("/") ? String(rest.dropFirst()) : rest
            return placement.prefix.isEmpty ? inner : Paths.join(placement.prefix, inner)
        }
    }

    private static func commonAncestor(of folders: [String]) -> String {
        guard var common = folders.first else { return "." }
        for folder in folders.dropFirst() {
            while common != "/", folder != common, !folder.hasPrefix(common + "/") { common = Paths.parent(common) }
        }
        return common
    }

    /// Whether pictures are called in the output what their data set calls them.
    func keepsNames(from number: Int = 0) -> Bool { prefixes.isEmpty || prefixes[number].isEmpty }

    /// Adds a record's line to others.
    /// - Parameter number: which of the data sets it is from.
    package func write(_ record: InstructionRecord, from number: Int = 0, to lines: inout JSONText) {
        var record = record
        let prefix = prefixes.isEmpty ? "" : prefixes[number]
        if !prefix.isEmpty { record.images = record.images.map { $0.resolved(under: prefix) } }
        record.write(to: &lines)
        lines.endLine()
    }

    /// Adds a record.
    package func append(_ record: InstructionRecord) throws {
        var line = JSONText()
        write(record, to: &line)
        try append(line)
    }

    /// Adds lines.
    package func append(_ lines: JSONText) throws { try file.append(lines) }

    /// Gives the file its name, and makes the link to the pictures first.
    package func commit() throws {
        _ = try file.settle()
        try placement.finish()
        try file.commit()
    }
}
