public import Basics
import Tokenization

/// Takes out records that repeat earlier ones: word for word, nearly, by their pictures, or too little new in them.
///
/// Texts are compared only between records with the same pictures and system turn: "What colour is it?" may be asked of each.
public struct DatasetDeduplication: Sendable {
    /// The share of word triples in common above which texts are near-duplicates; nil: only equal texts count.
    public var threshold: Double?
    /// Bits by which perceptual hashes of the same picture may differ; nil: pictures are told apart by their names.
    public var pictureDistance: Int?
    /// Whether a picture that looks like an earlier one takes its record out; else it only counts as that picture.
    public var removesPictures = false
    /// ROUGE-L with an earlier kept record above which the first question is not new (0.7 in Self-Instruct).
    public var novelty: Double?
    /// Compare texts whatever their pictures.
    public var ignoresPictures = false
    /// Permutations of the signatures.
    public var permutations = 128
    /// A folder where signatures are kept, for a run that goes on or for several machines; nil: they are kept nowhere.
    public var signatures: String?

    /// Only equal records go.
    public init() {}

    private struct Reading: Sendable {
        var position = 0
        var id = ""
        var fault: String?
        var images: [ImageReference] = []
        var signature = RecordSignature()
    }

    /// Runs over a data set; the result does not depend on the number of threads.
    ///
    /// - Parameter output: the file to write, with `<output>.removed.jsonl` beside it; nil to count only.
    /// - Throws: a `Problem`, or `RunStopped` when `progress` does; then nothing was written.
    public func run(
        _ dataset: InstructionDataset, to output: String?, workers: Int = Parallel.processors,
        progress: ((Int) throws -> Void)? = nil
    ) throws -> CleaningReport {
        let files = try signed(dataset, workers: workers, progress)
        let writing = try CleaningOutput(output, dataset: dataset)
        var state = DeduplicationState(self, count: dataset.count)
        let signer = RecordSigner(self, dataset)
        try DatasetPass(dataset, workers: workers).run { positions, tape in
            positions.map { position in
                var reading = Reading()
                reading.position = position
                do {
                    let record = try signer.record(at: position, tape)
                    (reading.id, reading.images) = (record.id, record.images)
                    let known = files.isEmpty ? nil : files[position / SignatureFolder.size]
                    reading.signature = known?[position % SignatureFolder.size] ?? signer.signature(of: record)
                } catch {
                    reading.fault = (error as? RecordError)?.reason ?? "\(error)"
                }
                return reading
            }
        } consume: { done, read in
            if pictureDistance != nil {
                for reading in read { state.number(reading.images, reading.signature.pictures) }
            }
            // What is kept from earlier pieces is compared side by side, this piece's records one after another.
            let before = novelty == nil ? [] : state.questions
            let (known, bound) = (before.count, novelty ?? 1)
            let novelties =
                known == 0
                ? []
                : try Parallel.map(read, workers: workers) {
                    DeduplicationState.firstSimilar(
                        to: WordSequence(words: $0.signature.question), in: before[...], bound)
                }
            var kept = (lines: JSONText(), count: 0)
            for (index, reading) in read.enumerated() {
                let removal: Removal?
                if let fault = reading.fault {
                    removal = Removal(id: String(reading.position), rule: "broken", reason: fault)
                } else {
                    removal = try state.removal(
                        of: reading.id, images: reading.images, reading.signature,
                        similar: novelties.isEmpty ? nil : novelties[index], known: known, at: reading.position,
                        in: dataset)
                }
                if let removal {
                    try writing.remove(removal, at: reading.position)
                } else {
                    kept.count += 1
                    if let output = writing.output {
                        try copy(reading.position, of: dataset, to: output, &kept.lines)
                    }
                }
            }
            writing.report.records += read.count
            try writing.keep(kept.lines, count: kept.count)
            try tell(done, progress)
        }
        writing.report.pictures = state.pictureCount
        return try writing.commit()
    }

    /// What is kept is copied as it stands, where its pictures keep their names.
    private func copy(
        _ position: Int, of dataset: InstructionDataset, to output: RecordOutput, _ lines: inout JSONText
    ) throws {
        if !dataset.options.lenient, output.keepsNames(), let text = dataset.text(at: position) {
            lines.append(raw: text)
            return lines.endLine()
        }
        var repairs: [Repair] = []
        output.write(try dataset.unresolvedRecord(at: position, repairs: &repairs), to: &lines)
    }

    /// Makes the signatures of a part of a data set, which a run over the whole then finds in the folder.
    ///
    /// Files that are there and fit are left alone.
    /// - Parameter shard: which part of the files; all of them when nil.
    /// - Returns: files made, and files that were there.
    public func sign(
        _ dataset: InstructionDataset, shard: Conversion.Shard?, workers: Int = Parallel.processors,
        progress: ((Int) throws -> Void)? = nil
    ) throws -> (made: Int, there: Int) {
        guard let signatures else { return (0, 0) }
        let folder = SignatureFolder(path: signatures, rules: rulesHash)
        let signer = RecordSigner(self, dataset)
        var (made, there) = (0, 0)
        for number in 0..<SignatureFolder.count(dataset)
        where shard.map({ number % $0.count == $0.index }) ?? true {
            let records = SignatureFolder.records(of: number, dataset)
            if folder.read(number, dataset) != nil {
                there += 1
            } else {
                var pass = DatasetPass(dataset, workers: workers)
                (pass.start, pass.count) = (records.lowerBound, records.upperBound)
                var found: [RecordSignature?] = []
                try pass.run { positions, tape in
                    positions.map { position in
                        (try? signer.record(at: position, tape)).map { signer.signature(of: $0) }
                    }
                } consume: { done, signatures in
                    found += signatures
                    try tell(done, progress)
                }
                try folder.write(found, number, dataset)
                made += 1
            }
            try tell(records.upperBound, progress)
        }
        return (made, there)
    }

    /// All files of signatures, those that lack made first.
    private func signed(
        _ dataset: InstructionDataset, workers: Int, _ progress: ((Int) throws -> Void)?
    ) throws -> [SignatureFile?] {
        guard let signatures else { return [] }
        _ = try sign(dataset, shard: nil, workers: workers, progress: progress)
        let folder = SignatureFolder(path: signatures, rules: rulesHash)
        return (0..<SignatureFolder.count(dataset)).map { folder.read($0, dataset) }
    }

    /// A run that is stopped goes on from its files of signatures.
    private func tell(_ done: Int, _ progress: ((Int) throws -> Void)?) throws {
        do { try progress?(done) } catch is RunStopped { throw RunStopped(goesOn: signatures != nil) }
    }

    /// What decides on the content of signatures, as a number.
    private var rulesHash: UInt64 {
        let bands = MinHash.bands(for: threshold ?? 1, permutations: permutations)
        return RandomStream.mixed(
            2, UInt64(permutations), threshold == nil ? 0 : 1, UInt64(bands.bands), UInt64(bands.rows),
            novelty == nil ? 0 : 1, pictureDistance == nil ? 0 : 1, UInt64(Self.shingle))
    }

    /// Words in a run that is compared.
    static let shingle = 3

    /// Runs of words of a record, ascending; those of records with other system turns share none, however much of it they repeat.
    static func shingles(of record: InstructionRecord) -> [UInt32] {
        WordSequence(record.conversation.dialogue.map { plain($0.content) }.joined(separator: "\n"))
            .shingles(of: shingle, salt: system(of: record))
    }

    /// A hash of the system turn; 0 where there is none.
    static func system(of record: InstructionRecord) -> UInt64 {
        guard let text = record.conversation.system.map(plain), !text.isEmpty else { return 0 }
        var hash = FNV()
        hash.add(text)
        return hash.value
    }

    static func plain(_ text: String) -> String {
        text.replacing(utf8: Conversation.imageMarker, with: "").trimmed
    }
}
