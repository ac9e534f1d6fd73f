public import Basics

/// Writes one epoch of a mixture as a data set of its own.
///
/// The same order as training would show: a function of the mixture and the seed. Each record says which data set it is
/// from (`source`), and `<output>.mixture.json` says what was mixed and how.
public struct DatasetMixing: Sendable {
    /// One data set of the mixture.
    public struct Source: Sendable {
        /// LLaVA or OpenAI-messages JSON or JSONL.
        public var path: String
        /// Which of its records.
        public var selection: Selection
        /// How often each is shown, with fixed weights.
        public var weight: Double

        /// A data set, all of it once by default.
        public init(path: String, selection: Selection = .all, weight: Double = 1) {
            self.path = path
            self.selection = selection
            self.weight = weight
        }
    }

    /// What is mixed.
    public var sources: [Source]
    /// How the shares follow from the sizes.
    public var rule: Mixture.Rule
    /// The seed of selections and order.
    public var seed: UInt64
    /// Whether the records are shuffled; else data set by data set in file order.
    public var shuffles = true
    /// Folder of the pictures of all, when they do not lie beside their data files.
    public var images: String?
    /// Repair what can be repaired.
    public var lenient = false

    /// A mixture by fixed weights.
    public init(_ sources: [Source], rule: Mixture.Rule = .weights, seed: UInt64) {
        self.sources = sources
        self.rule = rule
        self.seed = seed
    }

    /// What was mixed.
    public struct Report: Sendable {
        /// For each source: its path, the records it has, and how many were written.
        public var shares: [(path: String, records: Int, written: Int)]

        /// The report as JSON.
        public var json: JSON {
            .array(
                shares.map { ["data": .string($0.path), "records": .int($0.records), "written": .int($0.written)] })
        }
    }

    /// Mixes and writes.
    /// - Throws: a `Problem`; then no output was touched.
    public func run(
        to output: String, workers: Int = Parallel.processors, progress: ((Int) throws -> Void)? = nil
    ) throws -> Report {
        let options = InstructionDataset.Options(imageFolder: images, lenient: lenient)
        let datasets = try sources.map { source in
            let path = Files.isDirectory(source.path) ? Paths.join(source.path, "records.jsonl") : source.path
            return try InstructionDataset(path, options: options, workers: workers)
        }
        try Files.requireOther([output], than: datasets.map(\.path))
        let components = zip(sources, datasets).map { source, dataset in
            Mixture.Component(
                name: source.path, count: dataset.count, selection: source.selection, weight: source.weight)
        }
        let mixture = try Mixture(components, rule: rule)
        let samples = TrainingOrder(mixture, seed: seed, shuffles: shuffles).epoch(0)
        let file = try RecordOutput(output, folders: datasets.map(\.imageFolder))
        let names = sources.map(\.path)
        let round = 256 * max(1, workers) * 8
        for start in stride(from: 0, to: samples.count, by: round) {
            let end = min(samples.count, start + round)
            let pieces = stride(from: start, to: end, by: 256).map { $0..<min(end, $0 + 256) }
            let parts = try Parallel.map(pieces, workers: workers) { positions in
                var lines = JSONText()
                let tape = JSONTape()
                for position in positions {
                    let sample = samples[position]
                    var repairs: [Repair] = []
                    var record = try datasets[sample.component]
                        .unresolvedRecord(at: sample.record, repairs: &repairs, on: tape)
                    if record.metadata["source"] == nil { record.metadata["source"] = .string(names[sample.component]) }
                    file.write(record, from: sample.component, to: &lines)
                }
                return lines
            }
            for part in parts { try file.append(part) }
            try progress?(end)
        }
        let quotas = mixture.quotas()
        let report = Report(
            shares: datasets.indices.map { (sources[$0].path, datasets[$0].count, quotas[$0]) })
        let note: JSON = [
            "seed": .integer(Int64(bitPattern: seed)), "rule": .string(rule.words), "shuffled": .bool(shuffles),
            "components": .array(
                sources.indices.map { index in
                    [
                        "data": .string(sources[index].path), "records": .int(datasets[index].count),
                        "selection": .string(sources[index].selection.words), "weight": .number(sources[index].weight),
                        "written": .int(quotas[index]),
                    ]
                }),
        ]
        _ = try file.file.settle()
        try Files.write(
            note.serialized(pretty: true) + "\n",
            to: Paths.join(Paths.parent(output), Paths.stem(output) + ".mixture.json"))
        try file.commit()
        return report
    }
}

extension Mixture.Rule {
    /// The rule in words, as on the command line.
    var words: String {
        switch self {
        case .weights: "weights"
        case .proportional(let cap): "proportional:\(cap)"
        case .temperature(let temperature, let cap): "temperature:\(temperature)" + (cap.map { ":\($0)" } ?? "")
        }
    }

    /// Reads `weights`, `proportional:30000`, `temperature:2` or `temperature:2:30000`.
    /// - Throws: `UserError` that shows the forms.
    public init(_ text: String) throws(UserError) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { String($0) }
        switch (parts[0], parts.count) {
        case ("weights", 1):
            self = .weights
            return
        case ("proportional", 2):
            if let cap = Int(parts[1]) {
                self = .proportional(cap: cap)
                return
            }
        case ("temperature", 2), ("temperature", 3):
            let cap = parts.count == 3 ? Int(parts[2]) : nil
            if let temperature = Double(parts[1]), parts.count == 2 || cap != nil {
                self = .temperature(temperature, cap: cap)
                return
            }
        default: break
        }
        throw UserError(
            "mixture rule \"\(text)\" has no such form",
            fix: "write weights, proportional:30000 (a cap), temperature:2, or temperature:2:30000")
    }
}

extension Selection {
    /// The selection in words, as on the command line.
    var words: String {
        func amount(_ amount: Amount) -> String {
            switch amount {
            case .count(let count): String(count)
            case .percent(let share): "\(share)%"
            }
        }
        switch self {
        case .all: return "all"
        case .first(let wanted): return "first:" + amount(wanted)
        case .last(let wanted): return "last:" + amount(wanted)
        case .random(let wanted): return "random:" + amount(wanted)
        }
    }
}
