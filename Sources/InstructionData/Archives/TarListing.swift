/// What stands in a tar archive: its files, where a link to one of them is that file under another name.
struct TarListing {
    /// The files in the archive's order.
    private(set) var files: [TarEntry]
    /// Names of members whose bytes can't be read in place: links that lead to no file of the archive, and sparse files.
    private(set) var unreadable: [String]

    /// A hard or symbolic link.
    struct Link {
        var name: String
        /// The path in the archive that it leads to, nil when that is outside.
        var target: String?
        /// How many files stand in front of it.
        var place: Int
    }

    /// Follows links, over others too.
    init(files: [TarEntry], links: [Link], sparse: [String]) {
        (self.files, unreadable) = (files, sparse)
        guard !links.isEmpty else { return }
        let places = Dictionary(files.map { (ExactName($0.name), $0) }, uniquingKeysWith: { $1 })
        let targets = Dictionary(links.map { (ExactName($0.name), $0.target) }, uniquingKeysWith: { $1 })
        func file(behind link: Link) -> TarEntry? {
            var target = link.target
            // As many as a system follows; a circle ends there, too.
            for _ in 0..<40 {
                guard let path = target.map({ ExactName($0) }) else { return nil }
                if let file = places[path] { return file }
                target = targets[path] ?? nil
            }
            return nil
        }
        var followed: [TarEntry] = []
        followed.reserveCapacity(files.count + links.count)
        var position = 0
        for link in links {
            followed += files[position..<link.place]
            position = link.place
            if let file = file(behind: link) {
                followed.append(TarEntry(name: link.name, offset: file.offset, size: file.size))
            } else {
                unreadable.append(link.name)
            }
        }
        self.files = followed + files[position...]
    }

    /// The path in the archive that a symbolic link leads to, nil when it leaves the archive.
    static func target(of link: String, _ destination: String) -> String? {
        guard !destination.hasPrefix("/") else { return nil }
        var parts = link.split(separator: "/").dropLast()
        for part in destination.split(separator: "/") where part != "." {
            if part != ".." {
                parts.append(part)
            } else if parts.popLast() == nil {
                return nil
            }
        }
        return parts.joined(separator: "/")
    }
}
