import Basics

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Where tests find their data: small fixtures of their own, and larger shared ones that may be absent.
public enum Fixtures {
    /// The repository's root folder.
    public static let repository: String = {
        // Tests/TestSupport/Fixtures.swift
        Paths.parent(Paths.parent(Paths.parent(#filePath)))
    }()

    /// The folder of golden reference numbers: `VITRAIL_GOLDEN`, else `../shared/golden`; nil when absent.
    public static let goldenFolder: String? = folder(variable: "VITRAIL_GOLDEN", shared: "golden")

    /// The folder of shared data sets: `VITRAIL_DATA`, else `../shared/data`; nil when absent.
    public static let dataFolder: String? = folder(variable: "VITRAIL_DATA", shared: "data")

    /// The golden folders that hold all of `files`, whatever their names: the repository's own small ones, which
    /// `Scripts/reference/make_model_fixtures.py` makes, then the shared ones where they are.
    public static func golden(holding files: String...) -> [String] {
        let folders = [local("VisionLanguage", ""), goldenFolder].compactMap(\.self)
        return folders.flatMap { folder in
            ((try? Files.list(folder)) ?? []).map { Paths.join(folder, $0) }
                .filter { place in files.allSatisfy { Files.exists(Paths.join(place, $0)) } }
        }
    }

    /// The golden folders whose `index.json` has a key.
    public static func golden(indexing key: String) -> [String] {
        golden(holding: "index.json").filter { (try? JSON.read(Paths.join($0, "index.json")))?[key] != nil }
    }

    /// A file or folder of the shared data; nil when absent.
    public static func data(_ name: String) -> String? {
        dataFolder.map { Paths.join($0, name) }.flatMap { Files.exists($0) ? $0 : nil }
    }

    /// A fixture kept in the repository, in `Tests/<target>Tests/Fixtures`.
    public static func local(_ target: String, _ name: String) -> String {
        Paths.join(repository, "Tests", target + "Tests", "Fixtures", name)
    }

    /// Writes a file without waiting for the disk, for tests that write thousands.
    public static func writeQuickly(_ bytes: [UInt8], to path: String) throws {
        guard let file = fopen(path, "w") else { throw FileError("write", path) }
        defer { fclose(file) }
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw FileError("write", path) }
    }

    private static func folder(variable: String, shared: String) -> String? {
        // A worktree or clone may lie one level deeper than the shared folder's neighbour.
        let candidates =
            getenv(variable).map { [String(cString: $0)] } ?? [
                Paths.join(repository, "..", "shared", shared), Paths.join(repository, "..", "..", "shared", shared),
            ]
        return candidates.first { Files.isDirectory($0) }
    }
}
