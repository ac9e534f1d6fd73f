import Basics

/// The index of a sharded checkpoint, `model.safetensors.index.json`: which file holds which tensor.
struct ShardIndex {
    private let path: String
    private let weightMap: JSONObject

    init(_ path: String) throws {
        self.path = path
        let value = try JSON.read(path)
        guard let map = value["weight_map"]?.object else {
            throw CheckpointError(
                .index, path, "has no object \"weight_map\"",
                fix: "it should map each tensor's name to a shard's file name: download it again")
        }
        weightMap = map
        for (name, file) in map {
            guard let file = file.string else {
                throw CheckpointError(.index, path, tensor: name, "is mapped to \(file.kind), not to a file name")
            }
            // A path out of the folder could make a download read other files of its user.
            guard !file.contains("/"), !file.contains("\\"), file.hasSuffix(".safetensors") else {
                throw CheckpointError(
                    .index, path, tensor: name,
                    "is mapped to \"\(file.prefix(80))\", not to a .safetensors file beside the index")
            }
        }
    }

    /// Opens all shards and checks that they hold what the index says.
    func open() throws -> [TensorFile] {
        var names: [String] = []
        var seen: Set<String> = []
        for file in weightMap.values.compactMap(\.string) where seen.insert(file).inserted { names.append(file) }
        names.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        guard !names.isEmpty else {
            throw CheckpointError(.index, path, "names no tensor at all", fix: "download the index again")
        }
        let folder = Paths.parent(path)
        let missing = names.filter { !Files.exists(Paths.join(folder, $0)) }
        guard missing.isEmpty else {
            let listed = missing.prefix(5).joined(separator: ", ") + (missing.count > 5 ? ", …" : "")
            throw CheckpointError(
                .missingShard, path,
                "names \(names.count.counted("file")), \(missing.count) of them missing: \(listed)",
                fix: "copy or download the missing files into \(folder)")
        }
        let files = try names.map { try TensorFile(Paths.join(folder, $0)) }
        try compare(names, files)
        return files
    }

    private func compare(_ names: [String], _ files: [TensorFile]) throws {
        var differences: [String] = []
        var tensor: String?
        func note(_ name: String, _ text: String) {
            tensor = tensor ?? name
            differences.append(text)
        }
        var byName: [String: TensorFile] = [:]
        for (name, file) in zip(names, files) { byName[name] = file }
        for (name, file) in weightMap {
            guard let file = file.string, byName[file]?.contains(name) == true else {
                note(name, "\"\(CheckpointError.shortened(name))\" should be in \(file.string ?? "") and is not")
                continue
            }
        }
        for (fileName, file) in zip(names, files) {
            for entry in file.entries where weightMap[entry.name]?.string != fileName {
                note(
                    entry.name,
                    "\"\(CheckpointError.shortened(entry.name))\" is in \(fileName), which the index does not say")
            }
        }
        guard differences.isEmpty else {
            let listed = differences.prefix(5).joined(separator: "; ") + (differences.count > 5 ? "; …" : "")
            throw CheckpointError(
                .index, path, "disagrees with the shards on \(differences.count.counted("tensor")): \(listed)",
                fix: "the folder mixes files of two versions: download it again into an empty folder")
        }
    }
}
