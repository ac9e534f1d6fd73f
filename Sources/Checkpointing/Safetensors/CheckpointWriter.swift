import Basics

/// Writes the weights of a model folder, in shards with an index when they are large.
///
/// File names, the order in which shards fill up and the index are those of transformers' `save_pretrained`:
/// `model.safetensors`, or `model-00001-of-00003.safetensors` and `model.safetensors.index.json`. The index is written
/// last, and files of an earlier checkpoint in the folder are removed after it. For a folder that changes all at once,
/// write into an `AtomicDirectory`.
public enum CheckpointWriter {
    /// The size in bytes above which a checkpoint is cut into shards, and that of each shard: 5 GB.
    public static let defaultShardLimit = 5_000_000_000

    /// Writes tensors, asking for the data of one after the other.
    /// - Parameters:
    ///   - descriptions: All tensors, in the order in which shards fill up.
    ///   - folder: Where to; created if needed.
    ///   - stem: What the weights are called.
    ///   - shardLimit: The largest shard in bytes; a tensor above it gets a shard of its own.
    ///   - data: Calls its second argument with the bytes of a tensor.
    /// - Returns: The names of the files written.
    @discardableResult
    public static func write(
        _ descriptions: [TensorDescription], to folder: String, stem: String = "model",
        shardLimit: Int = defaultShardLimit, metadata: [(String, String)] = [("format", "pt")],
        data: (TensorDescription, (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws -> [String] {
        try Files.createDirectory(folder)
        try Files.removeLeftovers(in: folder)
        let shards = shards(descriptions, limit: shardLimit)
        let names = shardNames(shards.count, stem: stem)
        let index = stem + ".safetensors.index.json"
        // Without its index, a folder that is half overwritten is an error on loading and not a mixture of two models.
        if shards.count > 1 { try Files.remove(Paths.join(folder, index)) }
        for (name, shard) in zip(names, shards) {
            var writer = try SafetensorsWriter(Paths.join(folder, name), shard, metadata: metadata)
            for description in writer.descriptions {
                try data(description) { try writer.append(description.name, $0) }
            }
            try writer.finish()
        }
        if shards.count > 1 {
            try Files.write(indexText(shards, names), to: Paths.join(folder, index))
        }
        try removeOthers(in: folder, stem: stem, keeping: shards.count > 1 ? names + [index] : names)
        return shards.count > 1 ? names + [index] : names
    }

    /// Fills shards in order; a tensor that does not fit any more starts the next one.
    static func shards(_ descriptions: [TensorDescription], limit: Int) -> [[TensorDescription]] {
        var shards: [[TensorDescription]] = [[]]
        var size = 0
        for description in descriptions {
            if size + description.byteCount > limit, size > 0 {
                shards.append([])
                size = 0
            }
            shards[shards.count - 1].append(description)
            size += description.byteCount
        }
        return shards
    }

    private static func shardNames(_ count: Int, stem: String) -> [String] {
        func digits(_ number: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, 5 - text.count)) + text
        }
        if count == 1 { return [stem + ".safetensors"] }
        return (1...count).map { "\(stem)-\(digits($0))-of-\(digits(count)).safetensors" }
    }

    private static func indexText(_ shards: [[TensorDescription]], _ names: [String]) -> String {
        var map = JSONObject()
        var total = 0
        for (name, shard) in zip(names, shards) {
            for description in shard {
                map[description.name] = .string(name)
                total += description.byteCount
            }
        }
        let index: JSON = ["metadata": ["total_size": .int(total)], "weight_map": .object(map)]
        return index.serialized(pretty: true, sortedKeys: true) + "\n"
    }

    /// Removes weights of an earlier checkpoint under the same stem, the index first.
    private static func removeOthers(in folder: String, stem: String, keeping kept: [String]) throws {
        let old = try Files.list(folder).filter { name in
            !kept.contains(name)
                && (name == stem + ".safetensors" || name == stem + ".safetensors.index.json"
                    || name.hasPrefix(stem + "-") && name.contains("-of-") && name.hasSuffix(".safetensors"))
        }
        for name in old.sorted(by: { $0.hasSuffix(".json") && !$1.hasSuffix(".json") }) {
            try Files.remove(Paths.join(folder, name))
        }
    }
}
