import Basics

/// What deduplication compares of a record, without its texts.
struct RecordSignature: Sendable, Equatable {
    /// Hash of all texts.
    var text: UInt64 = 0
    /// A hash for each band of the MinHash signature; none for a record without words, or when near-duplicates stay.
    var bands: [UInt64] = []
    /// Perceptual hashes of the pictures; nil for one that can't be read. None when pictures are told apart by name.
    var pictures: [UInt64?] = []
    /// Words of the first question, when novelty counts.
    var question: [UInt64] = []

    /// The signature as numbers.
    var words: [UInt64] {
        var words = [text, UInt64(bands.count), UInt64(pictures.count), UInt64(question.count)]
        words += bands
        for picture in pictures { words += picture.map { [1, $0] } ?? [0, 0] }
        return words + question
    }

    init() {}

    /// Reads what ``words`` gives; nil when it does not fit.
    init?(words: UnsafeBufferPointer<UInt64>) {
        guard words.count >= 4, let bandCount = Int(exactly: words[1]), let pictureCount = Int(exactly: words[2]),
            let questionCount = Int(exactly: words[3]), max(bandCount, pictureCount, questionCount) <= words.count,
            words.count == 4 + bandCount + 2 * pictureCount + questionCount
        else { return nil }
        text = words[0]
        bands = Array(words[4..<(4 + bandCount)])
        let start = 4 + bandCount
        pictures = (0..<pictureCount).map { words[start + 2 * $0] == 1 ? words[start + 2 * $0 + 1] : nil }
        question = Array(words[(start + 2 * pictureCount)...])
    }
}

/// Signatures of a data set in files of a folder, so that machines make them together and a killed run goes on.
///
/// Each file holds those of 50,000 records and belongs to the bytes of exactly these records and to the rules.
struct SignatureFolder: Sendable {
    /// The folder.
    let path: String
    /// What signatures hold, as a number.
    let rules: UInt64

    /// Records of a file.
    static let size = 50_000

    /// How many files a data set has.
    static func count(_ dataset: InstructionDataset) -> Int { (dataset.count + size - 1) / size }

    /// The records of a file.
    static func records(of number: Int, _ dataset: InstructionDataset) -> Range<Int> {
        (number * size)..<min(dataset.count, (number + 1) * size)
    }

    private func file(_ number: Int) -> String {
        let digits = String(number)
        return Paths.join(path, "signatures-" + String(repeating: "0", count: max(0, 6 - digits.utf8.count)) + digits)
    }

    /// A file that fits the records as they are now; nil when it is yet to be made.
    func read(_ number: Int, _ dataset: InstructionDataset) -> SignatureFile? {
        guard Files.exists(file(number)) else { return nil }
        let records = Self.records(of: number, dataset)
        return try? SignatureFile(
            file(number), rules: rules, content: dataset.contentHash(records), count: records.count)
    }

    /// Writes a file, complete or not at all.
    func write(_ signatures: [RecordSignature?], _ number: Int, _ dataset: InstructionDataset) throws {
        let records = Self.records(of: number, dataset)
        var words = [SignatureFile.magic, rules, dataset.contentHash(records), UInt64(records.count)]
        var body: [UInt64] = []
        for signature in signatures {
            words.append(UInt64(body.count))
            body += signature?.words ?? []
        }
        words.append(UInt64(body.count))
        words += body
        try Files.createDirectory(path)
        try words.withUnsafeBytes { try Files.write($0, to: file(number)) }
    }
}

/// A file of signatures in memory.
final class SignatureFile: Sendable {
    static let magic: UInt64 = 0x3147_4953_4C52_5456
    private let file: MappedFile
    private let count: Int

    /// - Throws: `UserError` when it is not what is asked for.
    init(_ path: String, rules: UInt64, content: UInt64, count: Int) throws {
        file = try MappedFile(path)
        self.count = count
        let head = [Self.magic, rules, content, UInt64(count)]
        let fits = file.bytes.withMemoryRebound(to: UInt64.self) { words in
            words.count >= 5 + count && words.starts(with: head) && words[4 + count] == UInt64(words.count - 5 - count)
        }
        guard fits else { throw UserError("\(path) belongs to other records", fix: "it is made anew") }
    }

    /// The signature of a record, by its place in the file; nil for a broken one.
    subscript(index: Int) -> RecordSignature? {
        file.bytes.withMemoryRebound(to: UInt64.self) { words in
            let body = 5 + count
            let most = UInt64(words.count - body)
            let (start, end) = (words[4 + index], words[5 + index])
            guard start <= end, end <= most else { return nil }
            return RecordSignature(words: UnsafeBufferPointer(rebasing: words[(body + Int(start))..<(body + Int(end))]))
        }
    }
}
