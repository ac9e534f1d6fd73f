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
        var id = ""
        var record: InstructionRecord?
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
        var ledger = PictureLedger(.init(decodes: true, hashes: true))
        let hasher = MinHash(permutations: permutations)
        let round = 128 * max(1, workers) * 8
        for start in stride(from: 0, to: dataset.count, by: round) {
            let end = min(dataset.count, start + round)
            let pieces = stride(from: start, to: end, by: 128).map { $0..<min(end, $0 + 128) }
            let read = try Parallel.map(pieces, workers: workers) { piece in
                piece.map { reading(dataset, $0, hasher) }
            }.flatMap { $0 }
            if pictureDistance != nil {
                let fresh = try ledger.look(at: read.flatMap(\.images), workers: workers)
                writing.report.pictures += fresh.count
                state.number(fresh, ledger.facts)
            }
            // What is kept from earlier rounds is compared side by side, this round's records one after another.
            let before = novelty == nil ? [] : state.questions
            let (known, bound) = (before.count, novelty ?? 1)
            let novelties =
                known == 0
                ? []
                : try Parallel.map(read, workers: workers) {
                    DeduplicationState.firstSimilar(to: $0.question, in: before[...], bound)
                }
            for (index, reading) in read.enumerated() {
                let position = start + index
                writing.report.records += 1
                if let fault = reading.fault {
                    try writing.remove(
                        Removal(id: String(position), rule: "broken", reason: fault), at: position)
                    continue
                }
                let removal = try state.removal(
                    of: reading.id, images: reading.images, text: reading.text, words: reading.words,
                    signature: reading.signature, question: reading.question,
                    similar: novelties.isEmpty ? nil : novelties[index], known: known, at: position, in: dataset)
                if let removal {
                    try writing.remove(removal, at: position)
                } else if let record = reading.record {
                    try writing.keep(writing.output?.line(of: record))
                }
            }
            progress?(end)
        }
        return try writing.commit()
    }

    private func reading(_ dataset: InstructionDataset, _ position: Int, _ hasher: MinHash) -> Reading {
        var reading = Reading()
        do {
            var repairs: [Repair] = []
            let record = try dataset.unresolvedRecord(at: position, repairs: &repairs)
            reading.record = record
            reading.id = record.id
            reading.images = record.images.map { $0.resolved(under: dataset.imageFolder) }
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
