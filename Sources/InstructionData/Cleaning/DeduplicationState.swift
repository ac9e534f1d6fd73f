import Basics

/// What a deduplication remembers of the records it kept.
struct DeduplicationState: Sendable {
    private let rules: DatasetDeduplication
    private var exact: [UInt64: UInt32] = [:]
    private var table: BandTable
    /// Nil: the picture can't be read.
    private var pictureNumbers: [ImageReference: Int?] = [:]
    private var pictureNames: [ImageReference] = []
    private var neighbours: HashNeighbours
    /// First questions of kept records, with their numbers.
    private(set) var questions: [(words: WordSequence, record: UInt32)] = []

    init(_ rules: DatasetDeduplication, count: Int) {
        self.rules = rules
        // Candidates are compared exactly afterwards: all that is left to chance is to miss one.
        let bands = MinHash.bands(for: rules.threshold ?? 1, permutations: rules.permutations)
        table = BandTable(capacity: rules.threshold == nil ? 0 : count * bands.bands)
        neighbours = HashNeighbours(radius: rules.pictureDistance ?? 0)
        exact.reserveCapacity(count)
    }

    /// Pictures that were looked at.
    var pictureCount: Int { pictureNumbers.count }

    /// Gives pictures that look alike one number.
    mutating func number(_ images: [ImageReference], _ hashes: [UInt64?]) {
        for (image, bits) in zip(images, hashes) where pictureNumbers[image] == nil {
            guard let hash = bits.map({ PerceptualHash(bits: $0) }) else {
                pictureNumbers.updateValue(nil, forKey: image)
                continue
            }
            if let known = neighbours.nearest(to: hash) {
                pictureNumbers[image] = known
            } else {
                pictureNumbers[image] = pictureNames.count
                pictureNames.append(image)
                neighbours.insert(hash)
            }
        }
    }

    private func pictureNumber(_ image: ImageReference) -> Int? { pictureNumbers[image] ?? nil }

    private func pictureKey(_ images: [ImageReference]) -> UInt64 {
        if rules.ignoresPictures { return 0 }
        var hash = FNV()
        for image in images {
            if let number = pictureNumber(image) { hash.add(UInt64(number)) } else { hash.add(image.description) }
        }
        return hash.value
    }

    /// Why a record must go; remembers it when it may stay.
    mutating func removal(
        of id: String, images: [ImageReference], _ signature: RecordSignature, similar: Int?, known: Int,
        at position: Int, in dataset: InstructionDataset
    ) throws -> Removal? {
        if rules.removesPictures {
            for image in images {
                guard let number = pictureNumber(image), pictureNames[number] != image else { continue }
                return Removal(
                    id: id, rule: "picture", reason: "picture \(image) looks like \(pictureNames[number])")
            }
        }
        let pictures = pictureKey(images)
        let key = RandomStream.mixed(signature.text, pictures)
        if let first = exact[key] {
            return Removal(id: id, rule: "equal", reason: "the same texts and pictures", of: try name(first, dataset))
        }
        var bandKeys: [UInt64] = []
        if let threshold = rules.threshold {
            for (band, value) in signature.bands.enumerated() {
                bandKeys.append(RandomStream.mixed(pictures, UInt64(band), value))
            }
            if let (first, share) = try nearDuplicate(position, pictures, bandKeys, threshold, dataset) {
                let percent = Int((share * 100).rounded())
                return Removal(
                    id: id, rule: "near", reason: "\(percent) % of its word triples in common",
                    of: try name(first, dataset))
            }
        }
        let question = WordSequence(words: signature.question)
        if let bound = rules.novelty, question.count > 0 {
            if let index = similar ?? Self.firstSimilar(to: question, in: questions[known...], bound) {
                let score = SubsequenceMatcher(question).rougeL(with: questions[index].words)
                return Removal(
                    id: id, rule: "novelty", reason: "ROUGE-L \((score * 1000).rounded() / 1000) is above \(bound)",
                    of: try name(questions[index].record, dataset))
            }
            questions.append((question, UInt32(position)))
        }
        exact[key] = UInt32(position)
        for key in bandKeys { table.insert(UInt32(position), key: key) }
        return nil
    }

    /// The first of some kept questions that a question is too much like.
    static func firstSimilar(
        to question: WordSequence, in kept: ArraySlice<(words: WordSequence, record: UInt32)>, _ bound: Double
    ) -> Int? {
        let matcher = SubsequenceMatcher(question)
        return kept.firstIndex { matcher.exceeds(bound, with: $0.words) }
    }

    /// Candidates are read again and compared in full: no signature but the bands is kept.
    private func nearDuplicate(
        _ position: Int, _ pictures: UInt64, _ keys: [UInt64], _ threshold: Double,
        _ dataset: InstructionDataset
    ) throws -> (UInt32, Double)? {
        var candidates: Set<UInt32> = []
        for key in keys { table.forEach(key) { if candidates.count < 64 { candidates.insert($0) } } }
        guard !candidates.isEmpty else { return nil }
        func record(_ position: Int) throws -> InstructionRecord {
            var repairs: [Repair] = []
            return try dataset.unresolvedRecord(
                at: position, repairs: &repairs, on: JSONTape(), keepsMetadata: false)
        }
        let own = DatasetDeduplication.shingles(of: try record(position))
        for candidate in candidates.sorted() {
            let record = try record(Int(candidate))
            guard pictureKey(record.images) == pictures else { continue }
            let other = DatasetDeduplication.shingles(of: record)
            let share = WordSequence.jaccard(own, other)
            if share >= threshold { return (candidate, share) }
        }
        return nil
    }

    private func name(_ position: UInt32, _ dataset: InstructionDataset) throws -> String {
        var repairs: [Repair] = []
        return try dataset.unresolvedRecord(at: Int(position), repairs: &repairs).id
    }
}
