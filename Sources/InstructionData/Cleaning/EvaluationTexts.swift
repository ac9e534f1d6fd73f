/// Runs of words of an evaluation set that tell its questions and answers apart, to be looked for in training data.
///
/// GPT-3's decontamination (Brown et al. 2020, appendix C) takes runs of 13 words and passes over those that many documents
/// share. Questions are short beside what a benchmark adds to each of them, so here a word is passed over where it stands in a row of
/// six that many questions share, and a run counts when at least half of its words are left.
struct EvaluationTexts: Sendable {
    /// Words in a run.
    let length: Int
    private let runs: Set<UInt64>

    /// - Parameter records: the texts of each question with its answers, or of each record.
    init(_ records: [[WordSequence]], length: Int) {
        self.length = length
        // Benchmarks ask one question a few times, with its choices in other orders.
        let many = max(2, min(10, records.count / 10))
        let row = min(6, length)
        var counts: [UInt64: Int] = [:]
        for record in records {
            for hash in Set(record.flatMap { Self.hashes(of: $0.words, row) }) { counts[hash, default: 0] += 1 }
        }
        var runs: Set<UInt64> = []
        for text in records.joined() {
            var own = [Bool](repeating: true, count: text.count)
            for (start, hash) in Self.hashes(of: text.words, row).enumerated() where counts[hash, default: 0] > many {
                for place in start..<start + row { own[place] = false }
            }
            for (start, hash) in Self.hashes(of: text.words, length).enumerated()
            where own[start..<start + length].count(where: { $0 }) * 2 >= length {
                runs.insert(hash)
            }
        }
        self.runs = runs
    }

    /// Whether a text has such a run.
    func stand(in text: String) -> Bool {
        !runs.isEmpty && Self.hashes(of: WordSequence(text).words, length).contains { runs.contains($0) }
    }

    /// A hash for each place where a run of so many words begins.
    private static func hashes(of words: [UInt64], _ length: Int) -> [UInt64] {
        guard words.count >= length else { return [] }
        return (0...(words.count - length)).map { start in
            var hash = FNV()
            for word in words[start..<(start + length)] { hash.add(word) }
            return hash.value
        }
    }
}
