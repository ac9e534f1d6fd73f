#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// BLEU-1 to BLEU-4 over the corpus, against the reference closest in length.
///
/// Papineni et al. 2002, with the small constants of coco-caption that keep empty counts from dividing by zero: clipped
/// n-gram matches over n-grams, their geometric mean, times the brevity penalty. The headline is BLEU-4.
public struct BLEU: Metric {
    /// How captions are cut into words.
    public let tokenizer: CaptionTokenizer
    private static let longest = 4

    /// Creates the metric.
    public init(tokenizer: CaptionTokenizer = .caption) {
        self.tokenizer = tokenizer
    }

    /// `bleu`.
    public var name: String { "bleu" }

    /// One line for help screens.
    public var summary: String { "BLEU-1 to BLEU-4 of captions, over the corpus" }

    /// Lengths, n-grams and clipped matches of each item.
    public func measure(_ predictions: [Prediction]) -> Measurement {
        Measurement(statistics: predictions.map(statistics), combine: Self.scores)
    }

    /// Candidate length, reference length, n-grams of each order, matches of each order.
    private func statistics(_ item: Prediction) -> [Double] {
        var table = NGramTable()
        let candidate = table.counts(of: tokenizer.words(item.prediction), longest: Self.longest)
        let references = item.references.map { table.counts(of: tokenizer.words($0), longest: Self.longest) }
        var allowed = [Int](repeating: 0, count: table.count)
        for entry in references.lazy.flatMap(\.orders).joined() {
            allowed[entry.gram] = max(allowed[entry.gram], entry.count)
        }
        let closest =
            references.map(\.length).min { a, b in
                (abs(a - candidate.length), a) < (abs(b - candidate.length), b)
            } ?? 0
        let grams = (0..<Self.longest).map { max(0, candidate.length - $0) }
        let matches = candidate.orders.map { entries in
            entries.reduce(0) { $0 + min($1.count, allowed[$1.gram]) }
        }
        return ([candidate.length, closest] + grams + matches).map(Double.init)
    }

    private static func scores(_ sums: [Double], _ count: Int) -> [NamedScore] {
        let (small, tiny) = (1e-9, 1e-15)
        let ratio = (sums[0] + tiny) / (sums[1] + small)
        let brevity = ratio < 1 ? exp(1 - 1 / ratio) : 1
        var product = 1.0
        let scores = (0..<longest).map { order in
            product *= (sums[2 + longest + order] + tiny) / (sums[2 + order] + small)
            return NamedScore("bleu_\(order + 1)", pow(product, 1 / Double(order + 1)) * brevity)
        }
        return [scores[longest - 1]] + scores.dropLast()
    }
}
