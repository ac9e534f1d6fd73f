public import Basics

/// A folder of a test's own, removed with it.
public final class Scratch {
    /// The folder.
    public let path: String

    /// A new empty folder.
    public init() throws { path = try Files.makeTemporaryDirectory("vitrail-test") }
    deinit { try? Files.remove(path) }

    /// The path of a file in it.
    public func file(_ name: String) -> String { Paths.join(path, name) }

    /// Writes a file under the folder and returns its path.
    @discardableResult
    public func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }

    /// Writes a file under the folder and returns its path.
    @discardableResult
    public func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Files.createDirectory(Paths.parent(file(name)))
        try Files.write(bytes, to: file(name))
        return file(name)
    }

    /// The values of a file of JSON lines.
    public func lines(_ name: String) throws -> [JSON] {
        try Files.readText(file(name)).split(separator: "\n").map { try JSON.parse(String($0), source: name) }
    }
}

/// Calls `body` with a new empty folder that is removed afterwards.
@discardableResult
public func withTemporaryFolder<R>(_ body: (String) throws -> R) throws -> R {
    let scratch = try Scratch()
    return try withExtendedLifetime(scratch) { try body(scratch.path) }
}

/// The problem that a call throws; nil (and so a failed expectation) when it throws none.
public func problem(of body: () throws -> Void) -> (any Problem)? {
    do {
        try body()
        return nil
    } catch {
        return error as? any Problem
    }
}
