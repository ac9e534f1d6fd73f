import Basics

/// A folder of a test's own, removed with it.
final class Scratch {
    let path: String

    init() throws { path = try Files.makeTemporaryDirectory("vitrail-generation-tests") }
    deinit { try? Files.remove(path) }

    func file(_ name: String) -> String { Paths.join(path, name) }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        try Files.createDirectory(Paths.parent(file(name)))
        try Files.write(text, to: file(name))
        return file(name)
    }

    func lines(_ name: String) throws -> [JSON] {
        try Files.readText(file(name)).split(separator: "\n").map { try JSON.parse(String($0), source: name) }
    }
}

/// The prompts that are shipped.
let shippedPrompts = Paths.join(Paths.parent(Paths.parent(Paths.parent(#filePath))), "Datasets/prompts")

/// The problem that a call throws; nil (and so a failed expectation) when it throws none.
func problem(of body: () throws -> Void) -> (any Problem)? {
    do {
        try body()
        return nil
    } catch {
        return error as? any Problem
    }
}
