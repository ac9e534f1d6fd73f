#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// CIDEr-D: agreement in the n-grams that are rare over the set's references.
///
/// Vedantam et al. 2015, the variant of coco-caption: counts weighted by inverse document frequency over the set's own
/// references, clipped, a Gaussian penalty on the difference in length (width 6), the mean over orders and references,
/// times 10. A set of one item scores 0, as every n-gram is then in every document.
public struct CIDEr: Metric {
    /// How captions are cut into words.
    public let tokenizer: CaptionTokenizer
    private static let longest = 4
    private static let width = 6.0

    /// Creates the metric.
    public init(tokenizer: CaptionTokenizer = .caption) {
        self.tokenizer = tokenizer
    }

    /// `cider`.
    public var name: String { "cider" }

    /// One line for help screens.
    public var summary: String { "CIDEr-D of captions, document frequencies from the set's references" }

    /// The score of each item, document frequencies taken over all of them.
    public func measure(_ predictions: [Prediction]) -> Measurement {
        var table = NGramTable()
        let candidates = predictions.map { table.counts(of: tokenizer.words($0.prediction), longest: Self.longest) }
        let references = predictions.map { item in
            item.references.map { table.counts(of: tokenizer.words($0), longest: Self.longest) }
        }
        let weights = Self.inverseDocumentFrequencies(references, grams: table.count)
        let scores = zip(candidates, references).map { candidate, references in
            let candidate = Vector(candidate, weights)
            let sum = references.reduce(0.0) { $0 + Self.similarity(candidate, Vector($1, weights)) }
            return 10 * sum / Double(max(1, references.count))
        }
        return Measurement(meanOf: scores, name: name)
    }

    /// `log(documents / documents with the n-gram)`; an n-gram in no reference counts as in one.
    private static func inverseDocumentFrequencies(_ references: [[NGramTable.Counts]], grams: Int) -> [Double] {
        var documents = [Int](repeating: 0, count: grams)
        var lastSeen = [Int](repeating: -1, count: grams)
        for (document, references) in references.enumerated() {
            for entry in references.lazy.flatMap(\.orders).joined() where lastSeen[entry.gram] != document {
                lastSeen[entry.gram] = document
                documents[entry.gram] += 1
            }
        }
        return documents.map { log(Double(references.count)) - log(Double(max(1, $0))) }
    }

    /// A caption's weighted counts.
    private struct Vector {
        var orders: [[(gram: Int, weight: Double)]]
        var norms: [Double]
        /// The length as coco-caption counts it: the number of word pairs.
        var pairs: Int

        init(_ counts: NGramTable.Counts, _ weights: [Double]) {
            orders = counts.orders.map { $0.map { ($0.gram, Double($0.count) * weights[$0.gram]) } }
            norms = orders.map { $0.reduce(0) { $0 + $1.weight * $1.weight }.squareRoot() }
            pairs = max(0, counts.length - 1)
        }
    }

    /// The clipped cosine, averaged over the orders, from 0 to 1.
    private static func similarity(_ candidate: Vector, _ reference: Vector) -> Double {
        let difference = Double(candidate.pairs - reference.pairs)
        let penalty = exp(-difference * difference / (2 * width * width))
        var sum = 0.0
        for order in 0..<longest {
            let norm = candidate.norms[order] * reference.norms[order]
            guard norm != 0 else { continue }
            let other = Dictionary(uniqueKeysWithValues: reference.orders[order].map { ($0.gram, $0.weight) })
            let product = candidate.orders[order].reduce(0.0) { sum, entry in
                guard let weight = other[entry.gram] else { return sum }
                return sum + min(entry.weight, weight) * weight
            }
            sum += product / norm * penalty
        }
        return sum / Double(longest)
    }
}
