import Basics
import InstructionData

/// Instructions that were accepted, and the rules by which more are.
struct InstructionPool: Sendable {
    private(set) var machine: [String] = []
    private var sequences: [WordSequence]
    private let novelty: Double
    private let allowsPictures: Bool

    /// Words that a text-only task cannot do without a picture or a file (Self-Instruct's list); tasks about pictures may.
    private static let visual = [
        "image", "images", "graph", "graphs", "picture", "pictures", "file", "files", "map", "maps", "draw", "plot",
        "go to",
    ]

    init(seeds: [Seed], novelty: Double, allowsPictures: Bool) {
        sequences = seeds.map { WordSequence($0.instruction) }
        self.novelty = novelty
        self.allowsPictures = allowsPictures
    }

    /// Why an instruction is turned down; accepts it otherwise.
    mutating func fault(of instruction: String) throws -> String? {
        let words = WordSequence(instruction)
        if words.count < 4 { return "too short" }
        if words.count > 150 { return "too long" }
        let lower = " " + instruction.lowercased() + " "
        if !allowsPictures {
            let plain = String(lower.unicodeScalars.map { $0.properties.isAlphabetic ? Character($0) : " " })
            for word in Self.visual where plain.contains(" \(word) ") { return "needs a picture or a file" }
        }
        if lower.hasPrefix(" write a program") { return "asks for a program" }
        guard let first = instruction.unicodeScalars.first else { return "too short" }
        if !first.properties.isAlphabetic && first.properties.numericType == nil { return "begins with a mark" }
        let matcher = SubsequenceMatcher(words)
        let bound = novelty
        let known = sequences
        let pieces = stride(from: 0, to: known.count, by: 2048).map { $0..<min(known.count, $0 + 2048) }
        let similar = try Parallel.map(pieces, workers: pieces.count > 2 ? Parallel.processors : 1) { piece in
            piece.contains { matcher.exceeds(bound, with: known[$0]) }
        }
        if similar.contains(true) { return "not new" }
        sequences.append(words)
        machine.append(instruction)
        return nil
    }
}
