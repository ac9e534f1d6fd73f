import Basics

/// Calls `body` with a new empty folder that is removed afterwards.
func withTemporaryFolder<R>(_ body: (String) throws -> R) throws -> R {
    let folder = try Files.makeTemporaryDirectory("vitrail-basics")
    defer { try? Files.remove(folder) }
    return try body(folder)
}
