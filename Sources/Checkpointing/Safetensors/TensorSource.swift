import Basics

/// Named tensors in files, read one at a time: a ``TensorFile`` or a ``TensorFolder``.
public protocol TensorSource: Sendable {
    /// The file or folder, for messages.
    var path: String { get }

    /// Every tensor, in the order of the files.
    var entries: [TensorEntry] { get }

    /// The file that holds `name`; nil when there is no such tensor.
    func file(of name: String) -> TensorFile?
}

extension TensorSource {
    /// The names of all tensors, in the order of the files.
    public var names: [String] { entries.map(\.name) }

    /// Whether a tensor of that name is there.
    public func contains(_ name: String) -> Bool { file(of: name) != nil }

    /// What the file says about a tensor.
    /// - Throws: ``CheckpointError`` naming the nearest name when there is none of that name.
    public func entry(_ name: String) throws(CheckpointError) -> TensorEntry {
        try located(name).entry
    }

    /// Calls `body` with the bytes of a tensor as they lie in the file, possibly unaligned.
    ///
    /// Afterwards their pages are given back, so reading a checkpoint tensor by tensor needs memory for one.
    public func withBytes<R>(_ name: String, _ body: (UnsafeRawBufferPointer) throws -> R) throws -> R {
        let (file, entry) = try located(name)
        return try file.withBytes(of: entry, body)
    }

    func located(_ name: String) throws(CheckpointError) -> (file: TensorFile, entry: TensorEntry) {
        guard let file = file(of: name), let entry = file.ownEntry(name) else {
            let nearest = Suggestion.phrase(for: name, among: names)
            throw CheckpointError(
                .missingTensor, path, tensor: name, "there is no such tensor\(nearest)",
                fix: entries.isEmpty
                    ? "name another file; this one holds no tensors at all"
                    : "it holds \(entries.count.counted("tensor")), such as \(CheckpointError.shortened(entries[0].name)): check that "
                        + "it is the checkpoint you mean")
        }
        return (file, entry)
    }
}
