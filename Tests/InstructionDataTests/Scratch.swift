import Basics

/// A folder of a test's own, removed with it.
final class Scratch {
    let path: String

    init() throws { path = try Files.makeTemporaryDirectory("vitrail-data-tests") }
    deinit { try? Files.remove(path) }

    func file(_ name: String) -> String { Paths.join(path, name) }

    /// Writes a file under the folder and returns its path.
    @discardableResult
    func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }

    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Files.createDirectory(Paths.parent(file(name)))
        try Files.write(bytes, to: file(name))
        return file(name)
    }
}

/// The problem that a call throws; nil (and so a failed expectation) when it throws none.
func problem(of body: () throws -> Void) -> (any Problem)? {
    do {
        try body()
        return nil
    } catch {
        return error as? any Problem
    }
}
