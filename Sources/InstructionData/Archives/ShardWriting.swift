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

    /// Writes the shards, several side by side; each appears complete or not at all, and one of the same records that is there is left
    /// alone, so that a run that was killed goes on where it stopped.
    ///
    /// - Parameter prefix: path and beginning of the names.
    /// - Returns: shards written, and shards that were there.
    /// - Throws: `RunStopped` when `progress` does; a `Problem` naming record and picture, or a shard of other records, among which these would be mixed.
    public func run(
        _ dataset: InstructionDataset, to prefix: String, workers: Int = Parallel.processors,
        progress: (@Sendable (_ done: Int, _ total: Int) throws -> Void)? = nil
    ) throws -> (written: Int, kept: Int) {
        let size = max(1, perShard)
        let count = (dataset.count + size - 1) / size
        let numbers = (0..<count).filter { number in shard.map { number % $0.count == $0.index } ?? true }
        @Sendable func path(_ number: Int, isCompressed: Bool) -> String {
            Self.beginning(of: prefix) + Self.padded(number, to: 6) + (isCompressed ? ".tar.gz" : ".tar")
        }
        for stale in [path(count, isCompressed: isCompressed), path(0, isCompressed: !isCompressed)]
        where Files.exists(stale) {
            throw Self.foreign(stale)
        }
        let store = ImageStore()
        let done = Atomic(0)
        let total = min(dataset.count, numbers.count * size)
        @Sendable func positions(_ number: Int) -> Range<Int> {
            number * size..<min(dataset.count, (number + 1) * size)
        }
        // Nothing is written beside shards of other records: all that are there are looked at before.
        let kept = numbers.filter { Files.exists(path($0, isCompressed: isCompressed)) }
        _ = try Parallel.map(kept, workers: workers) { number in
            try requireShard(path(number, isCompressed: isCompressed), of: dataset, positions(number))
            done.add(positions(number).count, ordering: .relaxed)
        }
        let isKept = Set(kept)
        let missing = numbers.filter { !isKept.contains($0) }
        _ = try Parallel.map(missing, workers: workers) { number in
            let writer = try TarWriter(path(number, isCompressed: isCompressed))
            let tape = JSONTape()
            for position in positions(number) {
                try write(dataset, position, to: writer, store, tape)
                let count = done.add(1, ordering: .relaxed).newValue
                // Whole shards stay, and the same run goes on behind them.
                do { try progress?(count, total) } catch is RunStopped { throw RunStopped(goesOn: true) }
            }
            try writer.commit()
        }
        return (missing.count, kept.count)
    }

    /// What stands in front of the number: `train-`, and nothing in a folder that is named alone, where a name would begin with a dash.
    public static func beginning(of prefix: String) -> String { prefix.hasSuffix("/") ? prefix : prefix + "-" }

    /// Refuses a shard that does not hold these records: told by the names of all, and by the texts of the first and the last.
    private func requireShard(_ path: String, of dataset: InstructionDataset, _ positions: Range<Int>) throws {
        let shard = try TarReader(path)
        let names = shard.entries.map(\.name).filter { $0.hasSuffix(".json") }
        guard names == positions.map({ Self.key($0) + ".json" }) else { throw Self.foreign(path) }
        let tape = JSONTape()
        for position in Set([positions.lowerBound, positions.upperBound - 1]) {
            let expected = try self.text(dataset, position, tape).json.bytes
            guard try shard.withBytes(named: Self.key(position) + ".json", { $0.elementsEqual(expected) }) else {
                throw Self.foreign(path)
            }
        }
    }

    private static func foreign(_ path: String) -> UserError {
        UserError(
            "\(path): this shard was written of other records, or with another --per-shard or --gzip",
            fix: "name another --output, or remove the shards that are there")
    }

    private static func key(_ position: Int) -> String { padded(position, to: 9) }

    private static func padded(_ number: Int, to width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    /// A record's text without its pictures, and those.
    private func text(
        _ dataset: InstructionDataset, _ position: Int, _ tape: JSONTape
    ) throws -> (json: JSONText, images: [ImageReference]) {
        var repairs: [Repair] = []
        let read = try dataset.unresolvedRecord(at: position, repairs: &repairs, on: tape, keepsMetadata: false)
        var json = JSONText()
        if !dataset.options.lenient, tape.withRoot({ LLaVAForm.isOwn($0) }) {
            // Its members are copied as they stand, all but the pictures, which become files.
            tape.withRoot { $0.write(to: &json, without: "image", "images") }
        } else {
            var record = try dataset.unresolvedRecord(at: position, repairs: &repairs, on: tape)
            record.images = []
            record.write(to: &json)
        }
        return (json, read.images)
    }

    private func write(
        _ dataset: InstructionDataset, _ position: Int, to writer: TarWriter, _ store: ImageStore, _ tape: JSONTape
    ) throws {
        let key = Self.key(position)
        let (json, images) = try self.text(dataset, position, tape)
        try json.bytes.withUnsafeBytes { try writer.add(key + ".json", $0) }
        for (index, image) in images.enumerated() {
            let place = image.resolved(under: dataset.imageFolder)
            let ending = Paths.fileExtension(Paths.name(image.description)).lowercased()
            let name = images.count == 1 ? "\(key).\(ending)" : "\(key).\(index).\(ending)"
            do { try store.withBytes(of: place) { try writer.add(name, $0) } } catch {
                // A full disk is no fault of the record.
                if let error = error as? FileError, error.operation == "write" { throw error }
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
