public import Basics
import Synchronization

/// Writes records with their pictures as WebDataset shards: `<name>-000000.tar` and so on, a sample of `key.json` and its
/// pictures (`key.jpg`, or `key.0.jpg`, `key.1.jpg` for several).
public struct ShardWriting: Sendable {
    /// Samples of one shard.
    public var perShard = 1_000
    /// Whether shards are gzipped.
    public var isCompressed = false
    /// Only these shards: those whose number is the part's modulo the number of parts.
    public var shard: Conversion.Shard?

    /// Plain shards of a thousand.
    public init() {}

    /// Writes the shards, several side by side; each appears complete or not at all, and one that is there is left alone,
    /// so that a run that was killed goes on where it stopped.
    ///
    /// - Parameter prefix: path and beginning of the names.
    /// - Returns: shards written, and shards that were there.
    /// - Throws: a `Problem` naming record and picture.
    public func run(
        _ dataset: InstructionDataset, to prefix: String, workers: Int = Parallel.processors,
        progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
    ) throws -> (written: Int, kept: Int) {
        let size = max(1, perShard)
        let count = (dataset.count + size - 1) / size
        let numbers = (0..<count).filter { number in shard.map { number % $0.count == $0.index } ?? true }
        let suffix = isCompressed ? ".tar.gz" : ".tar"
        let store = ImageStore()
        let done = Atomic(0)
        let total = min(dataset.count, numbers.count * size)
        let results = try Parallel.map(numbers, workers: workers) { number -> Bool in
            let digits = String(number)
            let path = prefix + "-" + String(repeating: "0", count: max(0, 6 - digits.utf8.count)) + digits + suffix
            if Files.exists(path) {
                done.add(size, ordering: .relaxed)
                return false
            }
            let writer = try TarWriter(path)
            let tape = JSONTape()
            for position in (number * size)..<min(dataset.count, (number + 1) * size) {
                try write(dataset, position, to: writer, store, tape)
                let count = done.add(1, ordering: .relaxed).newValue
                if count % 256 == 0 { progress?(count, total) }
            }
            try writer.commit()
            return true
        }
        let written = results.count { $0 }
        return (written, results.count - written)
    }

    private func write(
        _ dataset: InstructionDataset, _ position: Int, to writer: TarWriter, _ store: ImageStore, _ tape: JSONTape
    ) throws {
        var repairs: [Repair] = []
        let read = try dataset.unresolvedRecord(at: position, repairs: &repairs, on: tape, keepsMetadata: false)
        let digits = String(position)
        let key = String(repeating: "0", count: max(0, 9 - digits.utf8.count)) + digits
        let images = read.images
        var json = JSONText()
        if !dataset.options.lenient, tape.withRoot({ LLaVAForm.isOwn($0) }) {
            // Its members are copied as they stand, all but the pictures, which become files.
            tape.withRoot { $0.write(to: &json, without: "image", "images") }
        } else {
            var record = try dataset.unresolvedRecord(at: position, repairs: &repairs, on: tape)
            record.images = []
            record.write(to: &json)
        }
        try json.bytes.withUnsafeBytes { try writer.add(key + ".json", $0) }
        for (index, image) in images.enumerated() {
            let place = image.resolved(under: dataset.imageFolder)
            let ending = Paths.fileExtension(Paths.name(image.description)).lowercased()
            let name = images.count == 1 ? "\(key).\(ending)" : "\(key).\(index).\(ending)"
            do { try store.withBytes(of: place) { try writer.add(name, $0) } } catch {
                let (problem, fix) = SampleSource.words(of: error)
                throw RecordError(path: dataset.path, line: dataset.line(at: position), reason: problem, fix: fix)
            }
        }
    }
}

extension JSONView {
    /// Adds an object's members as they stand in their text, but for some.
    fileprivate func write(to text: inout JSONText, without left: StaticString...) {
        text.append(raw: "{")
        var isFirst = true
        for (key, value) in members where !left.contains(where: { key.isText($0) }) {
            if !isFirst { text.append(raw: ",") }
            isFirst = false
            text.append(raw: key.source)
            text.append(raw: ":")
            text.append(raw: value.source)
        }
        text.append(raw: "}")
    }
}
