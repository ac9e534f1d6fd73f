#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif
import Synchronization

/// Names of unfinished files and folders: `.<name>.partial-<process>-<count>`, beside the finished one.
///
/// The writer holds an advisory lock on what it writes. The system drops the lock when the process ends, however it
/// ends, so an unlocked partial is a leftover, whatever process ids have been reused since.
enum PartialName {
    private static let counter = Atomic<Int>(0)
    private static let marker = ".partial-"

    static func make(for path: String) -> String {
        let count = counter.add(1, ordering: .relaxed).newValue
        return Paths.join(Paths.parent(path), "." + Paths.name(path) + marker + "\(getpid())-\(count)")
    }

    /// Whether `name` has the form of a partial, of the finished name `finished` if one is given.
    static func matches(_ name: String, of finished: String?) -> Bool {
        guard name.hasPrefix("."), let range = name.lastRange(of: marker) else { return false }
        let digits = name[range.upperBound...].utf8
        let wellFormed =
            !digits.isEmpty
            && digits.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: "-") }
        return wellFormed && finished.map { name[..<range.lowerBound] == "." + $0 } ?? true
    }
}

extension Files {
    /// Removes what killed writers left unfinished in a folder, and returns the names removed.
    ///
    /// Partials whose writer still runs are left alone.
    /// - Parameter finished: Only leftovers of this name; all of them when nil.
    @discardableResult
    public static func removeLeftovers(in directory: String, of finished: String? = nil) throws -> [String] {
        var removed: [String] = []
        for name in try list(directory) where PartialName.matches(name, of: finished) {
            let path = Paths.join(directory, name)
            if try isAbandoned(path) {
                try remove(path)
                removed.append(name)
            }
        }
        return removed
    }

    /// Whether no process holds the lock of a partial; false when it is gone, because its writer has just finished.
    private static func isAbandoned(_ path: String) throws(FileError) -> Bool {
        if !exists(path) { return false }
        let partial = try FileDescriptor(path, flags: O_RDONLY, operation: "read")
        return partial.lock()
    }
}

extension String {
    /// The last place where `part` stands.
    fileprivate func lastRange(of part: String) -> Range<String.Index>? {
        var end = endIndex
        while end >= startIndex {
            if self[..<end].hasSuffix(part) { return index(end, offsetBy: -part.count)..<end }
            if end == startIndex { return nil }
            end = index(before: end)
        }
        return nil
    }
}
