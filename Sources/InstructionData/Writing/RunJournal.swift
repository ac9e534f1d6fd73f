package import Basics

/// Where a long run stands, so that the same run, when it was killed, goes on from there: how many records are done, how
/// long each of its files was then, and what was counted.
///
/// It lies beside the output as `.<name>.journal`, with the unfinished files; all of them go when the run ends. A journal
/// of another run, or one whose files are gone, is not followed.
package final class RunJournal {
    private let path: String
    private let key: String
    private var lastSaved = ContinuousClock.now
    /// Records that the earlier run had done.
    package private(set) var done = 0
    /// What it had counted.
    package private(set) var counts: JSON = [:]
    private var lengths: JSONObject = [:]
    /// Whether a note of this run lies there.
    private var hasNoted = false

    private let interval: Duration

    /// - Parameters:
    ///   - key: tells this run from all others: what is asked for, and of which files.
    ///   - interval: time between two notes.
    package init(beside output: String, key: String, interval: Duration = .seconds(1)) throws {
        self.interval = interval
        path = Paths.join(Paths.parent(output), "." + Paths.name(output) + ".journal")
        self.key = key
        try Files.createDirectory(Paths.parent(output))
        try Files.removeLeftovers(in: Paths.parent(output), of: Paths.name(path))
        guard Files.exists(path), let value = try? JSON.read(path), value["key"]?.string == key,
            let done = value["done"]?.int, let lengths = value["lengths"]?.object, let counts = value["counts"]
        else { return }
        for (file, length) in lengths {
            guard let size = try? Files.size(AtomicFile.unfinishedName(of: file)), size >= length.int ?? .max else {
                return
            }
        }
        (self.done, self.lengths, self.counts) = (done, lengths, counts)
    }

    /// Opens a file of the run where it stood.
    package func open(_ path: String) throws -> LineFile { try LineFile(path, from: lengths[path]?.int ?? 0) }

    /// Whether the earlier run had begun a file.
    func has(_ path: String) -> Bool { lengths[path] != nil }

    /// Notes how far the run is, if the last note is old enough.
    package func note(done: Int, _ files: [(path: String, file: LineFile?)], counts: @autoclosure () -> JSON) throws {
        guard ContinuousClock.now - lastSaved >= interval else { return }
        try save(done: done, files, counts: counts())
    }

    /// Ends the run in the middle: notes how far it is, and leaves journal and unfinished files for the same run to go on.
    func keep(done: Int, _ files: [(path: String, file: LineFile?)], counts: JSON) throws {
        try save(done: done, files, counts: counts)
        for (_, file) in files { file?.keep() }
        hasNoted = false
    }

    private func save(done: Int, _ files: [(path: String, file: LineFile?)], counts: JSON) throws {
        var lengths = JSONObject()
        for (path, file) in files { if let file { lengths[path] = .int(try file.settle()) } }
        let note: JSON = [
            "key": .string(key), "done": .int(done), "lengths": .object(lengths), "counts": counts,
        ]
        try Files.write(note.serialized(), to: path)
        lastSaved = .now
        hasNoted = true
    }

    // A run that ends with an error takes its unfinished files away, and so its notes; one that is killed does not get here.
    deinit { if hasNoted { try? Files.remove(path) } }

    /// Removes the journal, when the files have their names.
    package func finish() throws {
        try Files.remove(path)
        hasNoted = false
    }
}
