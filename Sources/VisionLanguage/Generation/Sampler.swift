import Basics

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Chooses the next token from logits: repetition penalty, temperature, top-k, top-p, min-p, then a draw, in the order of `transformers`.
public struct Sampler: Sendable {
    private let settings: GenerationSettings
    private var generator: RandomGenerator

    /// A sampler for one answer.
    public init(_ settings: GenerationSettings, stream: UInt64) {
        self.settings = settings
        generator = RandomGenerator(seed: settings.seed, stream: stream)
    }

    /// The next token.
    ///
    /// - Parameters:
    ///   - logits: one a token of the vocabulary; overwritten.
    ///   - history: tokens of prompt and answer so far.
    public mutating func next(_ logits: inout [Float], history: [Int32]) -> Int32 {
        Self.penalize(&logits, history: history, penalty: settings.repetitionPenalty)
        guard settings.temperature > 0 else { return Self.likeliest(logits) }
        let candidates = Self.probabilities(logits, settings)
        var draw = generator.uniform()
        for (id, probability) in candidates {
            draw -= probability
            if draw < 0 { return id }
        }
        return candidates.last?.id ?? 0
    }

    /// The index of the largest logit; the first of equals.
    public static func likeliest(_ logits: [Float]) -> Int32 { logits.withUnsafeBufferPointer(likeliest) }

    static func likeliest(_ logits: UnsafeBufferPointer<Float>) -> Int32 {
        // Blocks of lanes first: a vocabulary of 49,152 one by one costs as much as a layer.
        guard var top = logits.first else { return 0 }
        var lanes = SIMD16<Float>(repeating: top)
        let whole = logits.count / 16 * 16
        for start in stride(from: 0, to: whole, by: 16) {
            let block = UnsafeRawPointer(logits.baseAddress! + start).loadUnaligned(as: SIMD16<Float>.self)
            lanes.replace(with: block, where: block .> lanes)
        }
        for lane in 0..<16 where lanes[lane] > top { top = lanes[lane] }
        for index in whole..<logits.count where logits[index] > top { top = logits[index] }
        return Int32(logits.firstIndex(of: top) ?? 0)
    }

    /// Scores of tokens that occurred are divided by the penalty when positive and multiplied when negative.
    public static func penalize(_ logits: inout [Float], history: [Int32], penalty: Double) {
        guard penalty != 1 else { return }
        let penalty = Float(penalty)
        for id in Set(history) where id >= 0 && Int(id) < logits.count {
            let value = logits[Int(id)]
            logits[Int(id)] = value < 0 ? value * penalty : value / penalty
        }
    }

    /// The tokens that may be drawn and their probabilities, likeliest first; equals in the order of their ids.
    public static func probabilities(
        _ logits: [Float], _ settings: GenerationSettings
    ) -> [(id: Int32, probability: Double)] {
        let inverse = settings.temperature > 0 ? Float(1 / settings.temperature) : 1
        let scores = logits.map { $0 * inverse }
        var order = Array(scores.indices)
        if settings.topK > 0, settings.topK < order.count {
            // Ties at the edge stay in, as a comparison with the k-th score leaves them.
            let threshold = scores.sorted(by: >)[settings.topK - 1]
            order.removeAll { scores[$0] < threshold }
        }
        order.sort { scores[$0] != scores[$1] ? scores[$0] > scores[$1] : $0 < $1 }
        var candidates = normalized(order.map { (Int32($0), Double(scores[$0])) })
        if settings.topP < 1 {
            var sum = 0.0
            var count = 0
            // A token stays while those before it have not reached p; the likeliest always stays.
            while count < candidates.count, count == 0 || sum < settings.topP {
                sum += candidates[count].probability
                count += 1
            }
            candidates = renormalized(candidates.prefix(count))
        }
        if settings.minP > 0, let top = candidates.first?.probability {
            candidates = renormalized(candidates.filter { $0.probability >= settings.minP * top }[...])
        }
        return candidates
    }

    private static func normalized(_ scores: [(id: Int32, score: Double)]) -> [(id: Int32, probability: Double)] {
        guard let top = scores.first?.score else { return [] }
        let weights = scores.map { ($0.id, exp($0.score - top)) }
        let sum = weights.reduce(0) { $0 + $1.1 }
        return weights.map { ($0.0, $0.1 / sum) }
    }

    private static func renormalized(
        _ candidates: ArraySlice<(id: Int32, probability: Double)>
    ) -> [(id: Int32, probability: Double)] {
        let sum = candidates.reduce(0) { $0 + $1.probability }
        return candidates.map { ($0.id, $0.probability / sum) }
    }
}
