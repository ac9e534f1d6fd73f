import Basics
import Tokenization

/// Makes signatures, on any thread.
struct RecordSigner: Sendable {
    private let rules: DatasetDeduplication
    private let dataset: InstructionDataset
    private let bands: (bands: Int, rows: Int)
    private let hasher: MinHash
    private let ledger: PictureLedger

    init(_ rules: DatasetDeduplication, _ dataset: InstructionDataset) {
        (self.rules, self.dataset) = (rules, dataset)
        bands = MinHash.bands(for: rules.threshold ?? 1, permutations: rules.permutations)
        hasher = MinHash(permutations: rules.permutations)
        ledger = PictureLedger(.init(decodes: true, hashes: true), under: dataset.imageFolder)
    }

    func record(at position: Int, _ tape: JSONTape) throws -> InstructionRecord {
        var repairs: [Repair] = []
        return try dataset.unresolvedRecord(at: position, repairs: &repairs, on: tape, keepsMetadata: false)
    }

    func signature(of record: InstructionRecord) -> RecordSignature {
        var signature = RecordSignature()
        var hash = FNV()
        hash.add(DatasetDeduplication.system(of: record))
        for turn in record.conversation.dialogue { hash.add(DatasetDeduplication.plain(turn.content)) }
        signature.text = hash.value
        if rules.threshold != nil {
            let shingles = DatasetDeduplication.shingles(of: record)
            if !shingles.isEmpty { signature.bands = bandHashes(hasher.signature(of: shingles)) }
        }
        if rules.pictureDistance != nil { signature.pictures = record.images.map { ledger[$0].hash?.bits } }
        if rules.novelty != nil {
            let first = record.conversation.dialogue.first?.content ?? ""
            signature.question = WordSequence(DatasetDeduplication.plain(first)).words
        }
        return signature
    }

    private func bandHashes(_ values: [UInt32]) -> [UInt64] {
        (0..<bands.bands).map { band in
            var hash = FNV()
            for value in values[(band * bands.rows)..<((band + 1) * bands.rows)] { hash.add(UInt64(value)) }
            return hash.value
        }
    }
}
