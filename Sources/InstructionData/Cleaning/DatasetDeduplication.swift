public import Basics
import Tokenization

/// Takes out records that repeat earlier ones: word for word, nearly, by their pictures, or too little new in them.
///
/// Texts are compared only between records with the same pictures: "What colour is it?" may be asked of each.
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

    /// Only equal records go.
    public init() {}

    private struct Reading: Sendable {
        var position = 0
        var id = ""
        var fault: String?
        var images: [ImageReference] = []
        var text: UInt64 = 0
        var words = WordSequence(words: [])
        var signature: [UInt32] = []
        var question = WordSequence(words: [])
    }

    /// Runs over a data set; the result does not depend on the number of threads.
    ///
    /// - Parameter output: the file to write, with `<output>.removed.jsonl` beside it; nil to count only.
    /// - Throws: a `Problem`; then nothing was written.
    public func run(
        _ dataset: InstructionDataset, to output: String?, workers: Int = Parallel.processors,
        progress: ((Int) -> Void)? = nil
    ) throws -> CleaningReport {
        let writing = try CleaningOutput(output, dataset: dataset)
        var state = DeduplicationState(self, count: dataset.count)
        let ledger = PictureLedger(.init(decodes: true, hashes: true), under: dataset.imageFolder)
        let hasher = MinHash(permutations: permutations)
        let rules = self
        try DatasetPass(dataset, workers: workers).run { positions, tape in
            positions.map { position in
                let reading = rules.reading(dataset, position, tape, hasher)
                // Pictures are looked at here, side by side, and told apart in order below.
                if rules.pictureDistance != nil { for image in reading.images { _ = ledger[image] } }
                return reading
            }
        } consume: { done, read in
            if pictureDistance != nil { for reading in read { state.number(reading.images, ledger) } }
            // What is kept from earlier pieces is compared side by side, this piece's records one after another.
            let before = novelty == nil ? [] : state.questions
            let (known, bound) = (before.count, novelty ?? 1)
            let novelties =
                known == 0
                ? []
                : try Parallel.map(read, workers: workers) {
                    DeduplicationState.firstSimilar(to: $0.question, in: before[...], bound)
                }
            var kept = (lines: JSONText(), count: 0)
            for (index, reading) in read.enumerated() {
                let removal: Removal?
                if let fault = reading.fault {
                    removal = Removal(id: String(reading.position), rule: "broken", reason: fault)
                } else {
                    removal = try state.removal(
                        of: reading.id, images: reading.images, text: reading.text, words: reading.words,
                        signature: reading.signature, question: reading.question,
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
            progress?(done)
        }
        writing.report.pictures = pictureDistance == nil ? 0 : ledger.count
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

    private func reading(
        _ dataset: InstructionDataset, _ position: Int, _ tape: JSONTape, _ hasher: MinHash
    ) -> Reading {
        var reading = Reading()
        reading.position = position
        do {
            var repairs: [Repair] = []
            let record = try dataset.unresolvedRecord(
                at: position, repairs: &repairs, on: tape, keepsMetadata: false)
            reading.id = record.id
            reading.images = record.images
            var hash = FNV()
            for turn in record.conversation.dialogue { hash.add(Self.plain(turn.content)) }
            reading.text = hash.value
            if threshold != nil {
                reading.words = Self.words(of: record)
                let shingles = reading.words.shingles(of: Self.shingle)
                reading.signature = hasher.signature(of: shingles)
            }
            if novelty != nil {
                reading.question = WordSequence(Self.plain(record.conversation.dialogue.first?.content ?? ""))
            }
        } catch {
            reading.fault = (error as? RecordError)?.reason ?? "\(error)"
        }
        return reading
    }

    /// Words in a run that is compared.
    static let shingle = 3

    static func words(of record: InstructionRecord) -> WordSequence {
        WordSequence(record.conversation.dialogue.map { plain($0.content) }.joined(separator: "\n"))
    }

    private static func plain(_ text: String) -> String {
        text.replacing(utf8: Conversation.imageMarker, with: "").trimmed
    }
}
