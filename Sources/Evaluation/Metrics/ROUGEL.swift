/// ROUGE-L: the longest common subsequence of words, as an F-measure that favours recall.
///
/// Lin 2004, with coco-caption's weight of 1.2 and its habit of taking the best precision and the best recall over the
/// references, which may come from different ones.
public struct ROUGEL: Metric {
    /// How captions are cut into words.
    public let tokenizer: CaptionTokenizer
    private static let beta = 1.2

    /// Creates the metric.
    public init(tokenizer: CaptionTokenizer = .caption) {
        self.tokenizer = tokenizer
    }

    /// `rouge-l`.
    public var name: String { "rouge-l" }

    /// One line for help screens.
    public var summary: String { "longest common subsequence of captions" }

    /// The score of each item.
    public func measure(_ predictions: [Prediction]) -> Measurement {
        Measurement(meanOf: predictions.map(score), name: name)
    }

    private func score(_ item: Prediction) -> Double {
        let candidate = tokenizer.words(item.prediction)
        var (precision, recall) = (0.0, 0.0)
        for reference in item.references.map(tokenizer.words) where !reference.isEmpty && !candidate.isEmpty {
            let common = Double(Self.longestCommonSubsequence(candidate, reference))
            precision = max(precision, common / Double(candidate.count))
            recall = max(recall, common / Double(reference.count))
        }
        guard precision > 0, recall > 0 else { return 0 }
        let weight = Self.beta * Self.beta
        return (1 + weight) * precision * recall / (recall + weight * precision)
    }

    /// The length of the longest sequence of words found in both, in order, not necessarily side by side.
    package static func longestCommonSubsequence(_ a: [String], _ b: [String]) -> Int {
        var previous = [Int](repeating: 0, count: b.count + 1)
        var current = previous
        for word in a {
            for j in b.indices {
                current[j + 1] = word == b[j] ? previous[j] + 1 : max(previous[j + 1], current[j])
            }
            swap(&previous, &current)
        }
        return previous[b.count]
    }
}
