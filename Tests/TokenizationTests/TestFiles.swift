import Basics
import Foundation
import Tokenization

/// Where this target's fixtures and, when present, the shared ones lie.
enum TestFiles {
    static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    static func fixture(_ name: String) -> String { Paths.join(repository, "Tests/TokenizationTests/Fixtures", name) }

    /// Folder of golden fixtures, nil when absent.
    static let golden = folder("VITRAIL_GOLDEN", "golden")
    /// Folder of shared data, nil when absent.
    static let data = folder("VITRAIL_DATA", "data")

    private static func folder(_ variable: String, _ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment[variable] ?? Paths.join(repository, "../shared", name)
        return Files.isDirectory(path) ? path : nil
    }

    /// The golden folders that hold a file, by name.
    static func goldenFolders(with file: String) -> [String] {
        guard let golden, let names = try? Files.list(golden) else { return [] }
        return names.map { Paths.join(golden, $0) }.filter { Files.exists(Paths.join($0, file)) }
    }

    static func json(_ path: String) throws -> JSON { try JSON.read(path) }
}

extension JSON {
    /// An array of token ids.
    var ids: [Int32] { (array ?? []).compactMap { $0.int.map(Int32.init) } }
    var text: String { string ?? "" }
}
