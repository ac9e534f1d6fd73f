public import Basics

/// An evaluation set, to keep its questions and pictures out of training (decontamination).
public struct EvaluationOverlap: Sendable {
    /// Runs of this many words that texts may not share; shorter questions count only with a shared picture, and rows of words that
    /// many of the set's questions share do not count.
    public var runLength: Int { texts.length }
    /// Bits by which the perceptual hashes of two pictures may differ and yet count as one picture; nil: not looked at.
    public let pictureDistance: Int?
    private let texts: EvaluationTexts
    private let pictures: HashNeighbours
    private let digests: Set<UInt64>

    var looksAtPictures: Bool { pictureDistance != nil }

    /// Reads an evaluation file (`{"id", "image", "question", "answers"}` a line) or a set of records.
    ///
    /// - Throws: a `Problem` naming file and line.
    public init(
        _ path: String, images: String? = nil, runLength: Int = 13, pictureDistance: Int? = nil,
        workers: Int = Parallel.processors
    ) throws {
        self.pictureDistance = pictureDistance
        var words: [[WordSequence]] = []
        var references: [ImageReference] = []
        let folder = images ?? Paths.parent(path)
        let file = try MappedFile.text(path)
        let index = try RecordIndex.build(over: file.bytes, source: path, workers: workers)
        guard index.count > 0 else {
            throw UserError("\(path) holds no questions", fix: "name the evaluation set that training must not see")
        }
        let reader = RecordReader(lenient: true)
        for position in 0..<index.count {
            let value = try JSON.parse(UnsafeRawBufferPointer(rebasing: file.bytes[index[position]]), source: path)
            var texts: [String] = []
            var named: [String] = []
            if let question = value["question"]?.string {
                texts = [question] + ["answers", "references", "answer"].flatMap { Self.texts(value[$0]) }
                named = value["image"]?.string.map { [$0] } ?? value["image"]?.array?.compactMap(\.string) ?? []
            } else {
                var repairs: [Repair] = []
                do throws(RecordFault) {
                    let record = try reader.record(from: value, defaultID: String(position), repairs: &repairs)
                    let converted = ConvertedRecord(record)
                    texts = converted.exchanges.flatMap { [$0.question, $0.answer] }
                    named = record.images.map(\.description)
                } catch {
                    throw RecordError(
                        path: path, line: RecordIndex.line(of: index[position].lowerBound, in: file.bytes),
                        reason: error.reason, fix: error.fix)
                }
            }
            words.append(Set(texts).map { WordSequence($0) })
            references += named.map { ImageReference($0) }
        }
        self.texts = EvaluationTexts(words, length: runLength)
        var neighbours = HashNeighbours(radius: pictureDistance ?? 0)
        var digests: Set<UInt64> = []
        if pictureDistance != nil {
            let ledger = PictureLedger(.init(decodes: true, hashes: true), under: folder)
            var seen: Set<ImageReference> = []
            let different = references.filter { seen.insert($0).inserted }
            for fact in try Parallel.map(different, workers: workers, { ledger[$0] }) {
                if let fault = fact.fault {
                    throw UserError(
                        "a picture of the evaluation set can't be read: \(fault)",
                        fix: "name its folder with --against-images")
                }
                if let hash = fact.hash { neighbours.insert(hash) }
                if let digest = fact.digest { digests.insert(digest) }
            }
        }
        self.pictures = neighbours
        self.digests = digests
    }

    /// A text, or those of a list, as `evaluate` reads answers.
    private static func texts(_ value: JSON?) -> [String] {
        value?.string.map { [$0] } ?? (value?.array ?? []).compactMap(\.string)
    }

    /// Whether a text shares a run of words with the evaluation set.
    func sharesText(_ text: String) -> Bool { texts.stand(in: text) }

    /// Whether a picture is one of the evaluation set's, or looks like it.
    func sharesPicture(_ facts: PictureFacts) -> Bool {
        if let digest = facts.digest, digests.contains(digest) { return true }
        guard pictureDistance != nil, let hash = facts.hash else { return false }
        return pictures.nearest(to: hash) != nil
    }
}
