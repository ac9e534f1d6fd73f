import Basics

/// The weights of a model folder: one safetensors file, or shards with an index.
///
/// `<stem>.safetensors` is taken first and `<stem>.safetensors.index.json` second, the order of transformers. With an
/// index, every shard must be there and the index and the shards must agree on every tensor.
public final class TensorFolder: TensorSource {
    /// The folder, or the single file that was named.
    public let path: String
    /// The files read, in the order of their names.
    public let files: [TensorFile]
    /// Every tensor, file after file.
    public let entries: [TensorEntry]

    private let places: [[UInt8]: Int]

    /// Opens the weights in a folder, or a single file.
    /// - Parameters:
    ///   - path: A folder, or the path of a `.safetensors` file.
    ///   - stem: What the weights are called: `model`, or `optimizer`, `adapter_model`, ….
    /// - Throws: ``CheckpointError`` or `FileError`.
    public init(_ path: String, stem: String = "model") throws {
        self.path = path
        if Files.isDirectory(path) {
            files = try Self.open(path, stem: stem)
        } else {
            files = [try TensorFile(path)]
        }
        entries = files.flatMap(\.entries)
        var places: [[UInt8]: Int] = [:]
        places.reserveCapacity(entries.count)
        for (place, file) in files.enumerated() {
            for entry in file.entries {
                if let other = places.updateValue(place, forKey: Array(entry.name.utf8)) {
                    throw CheckpointError(
                        .index, path, tensor: entry.name,
                        "stands in two files: \(Paths.name(files[other].path)) and \(Paths.name(file.path))",
                        fix: "save the checkpoint again; it mixes shards of two versions")
                }
            }
        }
        self.places = places
    }

    /// The file that holds `name`.
    public func file(of name: String) -> TensorFile? {
        places[Array(name.utf8)].map { files[$0] }
    }

    private static func open(_ folder: String, stem: String) throws -> [TensorFile] {
        let single = Paths.join(folder, stem + ".safetensors")
        if Files.exists(single) { return [try TensorFile(single)] }
        let index = Paths.join(folder, stem + ".safetensors.index.json")
        if Files.exists(index) { return try ShardIndex(index).open() }
        throw try absence(folder, stem: stem)
    }

    /// Says why a folder has no weights that can be read.
    private static func absence(_ folder: String, stem: String) throws -> CheckpointError {
        let names = try Files.list(folder)
        let pickles = names.filter {
            TensorFile.pickleEndings.contains(Paths.fileExtension($0)) && $0 != "training_args.bin"
                && !$0.hasPrefix("optimizer") && !$0.hasPrefix("scheduler")
        }
        if let first = pickles.first {
            // All shards of the common name are joined by one pattern.
            let isSharded = pickles.count > 1 && pickles.allSatisfy { $0.hasPrefix("pytorch_model-") }
            let file = Paths.join(folder, isSharded ? "pytorch_model-*.bin" : first)
            return ForeignFile.pickleError(folder, file: file, target: Paths.join(folder, stem + ".safetensors"))
        }
        let weights = names.filter { $0.hasSuffix(".safetensors") }
        if weights.contains(where: { $0.hasPrefix(stem + "-") && $0.contains("-of-") }) {
            return CheckpointError(
                .index, folder, "holds shards but no \(stem).safetensors.index.json",
                fix: "copy or download the index too; it says which shard holds which tensor")
        }
        let found = weights.isEmpty ? "" : " (found: \(weights.prefix(5).joined(separator: ", ")))"
        return CheckpointError(
            .noCheckpoint, folder, "holds no \(stem).safetensors and no index of shards\(found)",
            fix: weights.isEmpty
                ? "check the path; a model folder holds config.json and \(stem).safetensors"
                : "name the file itself, or rename it to \(stem).safetensors")
    }
}
