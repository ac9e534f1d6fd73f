import Basics
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Score files that lie beside the repository on some machines; tests that need one are skipped without it.
enum SharedData {
    /// The file's path in `VITRAIL_DATA`, or in `../shared/data` beside the repository; nil where it is absent.
    static func path(_ name: String) -> String? {
        let repository = Paths.parent(Paths.parent(Paths.parent(#filePath)))
        let folder =
            ProcessInfo.processInfo.environment["VITRAIL_DATA"]
            ?? Paths.join(Paths.parent(repository), "shared/data")
        let file = Paths.join(folder, name)
        return Files.exists(file) ? file : nil
    }
}

/// The strings of a JSON array; a test fails where it is none.
func texts(_ value: JSON?) throws -> [String] {
    let elements = try #require(value?.array)
    return elements.compactMap(\.string)
}
