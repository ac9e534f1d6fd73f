public import Basics

/// Reads every record of a data set, and looks at every picture once, on several threads.
public struct DatasetValidation: Sendable {
    /// One thing that is wrong.
    public struct Fault: Sendable, Equatable {
        /// Line of the data file where the record begins.
        public var line: Int
        /// What is wrong, without file and line.
        public var reason: String
        /// What to do about it.
        public var fix: String?
        /// The reason without names and numbers, for counting.
        public var kind: String
    }

    /// What was found.
    public struct Report: Sendable {
        /// The data file.
        public var path: String
        /// Records read.
        public var records = 0
        /// Pictures looked at, each once.
        public var pictures = 0
        /// How often each kind of fault occurs.
        public var kinds: [String: Int] = [:]
        /// The first faults in the order of the file, as many as asked for.
        public var first: [Fault] = []
        /// Repairs of a lenient reading.
        public var repairs: [Repair: Int] = [:]

        /// Faults in all.
        public var faultCount: Int { kinds.values.reduce(0, +) }

        /// The report as JSON; kinds by frequency.
        public var json: JSON {
            var counted = JSONObject()
            for (kind, count) in kinds.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
                counted[kind] = .int(count)
            }
            var repaired = JSONObject()
            for (repair, count) in repairs.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                repaired[repair.rawValue] = .int(count)
            }
            let faults = first.map { fault -> JSON in
                [
                    "line": .int(fault.line), "reason": .string(fault.reason),
                    "fix": fault.fix.map { .string($0) } ?? nil,
                ]
            }
            return [
                "data": .string(path), "records": .int(records), "pictures": .int(pictures),
                "faults": .int(faultCount), "kinds": .object(counted), "first": .array(faults),
                "repairs": .object(repaired),
            ]
        }
    }

    /// Looks at a picture's encoded bytes and throws when they are no good; nil leaves pictures alone.
    public var checkPicture: (@Sendable (_ bytes: UnsafeRawBufferPointer, _ name: String) throws -> Void)?
    /// Faults that the report keeps word for word.
    public var keptFaults = 20

    /// A validation; with no picture check, only texts are looked at.
    public init(checkPicture: (@Sendable (UnsafeRawBufferPointer, String) throws -> Void)? = nil) {
        self.checkPicture = checkPicture
    }

    /// A fault whose line is not counted yet.
    private struct Found: Sendable {
        var position: Int
        var reason: String
        var fix: String?
    }

    private struct Part: Sendable {
        var found: [Found] = []
        var repairs: [Repair] = []
        var pictures: [(position: Int, image: ImageReference)] = []
    }

    /// Runs over a whole data set. The report does not depend on the number of threads.
    /// - Parameter progress: called with the records so far.
    public func run(
        _ dataset: InstructionDataset, workers: Int = Parallel.processors, progress: ((Int) throws -> Void)? = nil
    ) throws -> Report {
        var report = Report(path: dataset.path)
        var known: Set<ImageReference> = []
        let store = ImageStore()
        let round = 256 * max(1, workers) * 8
        for start in stride(from: 0, to: dataset.count, by: round) {
            let end = min(dataset.count, start + round)
            let parts = try Parallel.map(Self.chunks(start..<end, of: 256), workers: workers) { read(dataset, $0) }
            // A picture of many records is looked at once, and its fault told with the first of them.
            let fresh = parts.flatMap(\.pictures).filter { known.insert($0.image).inserted }
            var found = parts.flatMap(\.found)
            for some in Self.chunks(0..<fresh.count, of: 64 * max(1, workers)) {
                found += try Parallel.map(Self.chunks(some, of: 16), workers: workers) { positions in
                    positions.compactMap { look(at: fresh[$0].image, of: fresh[$0].position, store) }
                }.flatMap { $0 }
                try progress?(start)
            }
            found.sort { $0.position < $1.position }
            add(found, of: dataset, to: &report)
            for repair in parts.flatMap(\.repairs) { report.repairs[repair, default: 0] += 1 }
            report.pictures += fresh.count
            report.records = end
            try progress?(end)
        }
        return report
    }

    private static func chunks(_ range: Range<Int>, of size: Int) -> [Range<Int>] {
        stride(from: range.lowerBound, to: range.upperBound, by: size).map { $0..<min(range.upperBound, $0 + size) }
    }

    private func read(_ dataset: InstructionDataset, _ positions: Range<Int>) -> Part {
        var part = Part()
        let tape = JSONTape()
        for position in positions {
            do {
                let record = try dataset.unresolvedRecord(at: position, repairs: &part.repairs, on: tape)
                guard checkPicture != nil else { continue }
                part.pictures += record.images.map { (position, $0.resolved(under: dataset.imageFolder)) }
            } catch {
                let fault = error as? RecordError
                part.found.append(Found(position: position, reason: fault?.reason ?? "\(error)", fix: fault?.fix))
            }
        }
        return part
    }

    private func look(at image: ImageReference, of position: Int, _ store: ImageStore) -> Found? {
        do {
            try store.withBytes(of: image) { try checkPicture?($0, image.description) }
            return nil
        } catch {
            let (reason, fix) = SampleSource.words(of: error)
            return Found(position: position, reason: reason, fix: fix)
        }
    }

    private func add(_ found: [Found], of dataset: InstructionDataset, to report: inout Report) {
        for fault in found {
            let kind = Self.kind(of: fault.reason)
            report.kinds[kind, default: 0] += 1
            guard report.first.count < keptFaults else { continue }
            let line = dataset.line(at: fault.position)
            report.first.append(Fault(line: line, reason: fault.reason, fix: fault.fix, kind: kind))
        }
    }

    /// A reason with quoted texts, paths and numbers taken out.
    static func kind(of reason: String) -> String {
        var words: [String] = []
        var inQuote = false
        for word in reason.split(separator: " ") {
            let quotes = word.utf8.count { $0 == UInt8(ascii: "\"") }
            if inQuote {
                if quotes % 2 == 1 { inQuote = false }
                continue
            }
            if word.utf8.first == UInt8(ascii: "\"") {
                words.append("\"…\"")
                inQuote = quotes % 2 == 1
            } else if word.contains("/") || word.contains("#") {
                words.append("…")
            } else if word.utf8.contains(where: { (48...57).contains($0) }) {
                words.append("N")
            } else {
                words.append(String(word))
            }
        }
        return words.joined(separator: " ")
    }
}
