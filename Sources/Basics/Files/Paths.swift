/// Textual operations on paths; nothing here touches the disk.
public enum Paths {
    /// `parent/child`; an absolute child stays as it is.
    public static func join(_ parent: String, _ children: String...) -> String {
        children.reduce(parent) { path, child in
            if child.hasPrefix("/") || path.isEmpty { return child }
            if child.isEmpty { return path }
            return path.hasSuffix("/") ? path + child : path + "/" + child
        }
    }

    /// The last component: `c.png` of `a/b/c.png`, and `b` of `a/b/`.
    public static func name(_ path: String) -> String {
        let trimmed = withoutTrailingSlashes(path)
        return trimmed.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(trimmed[trimmed.utf8.index(after: $0)...]) }
            ?? trimmed
    }

    /// The folder that holds it: `a/b` of `a/b/c.png`, `.` of `c.png`, `/` of `/c.png`.
    public static func parent(_ path: String) -> String {
        let trimmed = withoutTrailingSlashes(path)
        guard let slash = trimmed.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == trimmed.startIndex ? "/" : withoutTrailingSlashes(String(trimmed[..<slash]))
    }

    /// The extension without its dot, as written: `gz` of `a.tar.gz`, empty for `.hidden` and `name`.
    public static func fileExtension(_ path: String) -> String {
        let name = name(path)
        guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")), dot != name.startIndex else { return "" }
        return String(name[name.utf8.index(after: dot)...])
    }

    /// The last component without its extension: `a.tar` of `x/a.tar.gz`.
    public static func stem(_ path: String) -> String {
        let name = name(path)
        let ending = fileExtension(path)
        return ending.isEmpty ? name : String(name.dropLast(ending.count + 1))
    }

    private static func withoutTrailingSlashes(_ path: String) -> String {
        var path = path
        while path.utf8.count > 1, path.utf8.last == UInt8(ascii: "/") { path.removeLast() }
        return path
    }
}
