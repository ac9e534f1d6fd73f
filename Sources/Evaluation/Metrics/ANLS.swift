/// Average normalised Levenshtein similarity: near misses of read text count in part.
///
/// Biten et al. 2019 (ST-VQA): one minus the edit distance over the longer length, the best over the references, and
/// zero where half or more of the text is wrong. Case and white space at the ends are set aside.
public struct ANLS: Metric {
    /// The similarity under which an answer counts nothing.
    public let threshold: Double

    /// Creates the metric; the published threshold is 0.5.
    public init(threshold: Double = 0.5) {
        self.threshold = threshold
    }

    /// `anls`.
    public var name: String { "anls" }

    /// One line for help screens.
    public var summary: String { "average normalised Levenshtein similarity of read text" }

    /// The similarity of each item.
    public func measure(_ predictions: [Prediction]) -> Measurement {
        Measurement(meanOf: predictions.map(similarity), name: name)
    }

    private func similarity(_ item: Prediction) -> Double {
        let prediction = PlainText.trimmed(item.prediction.lowercased())
        let best = item.references.map { reference in
            let reference = PlainText.trimmed(reference.lowercased())
            let longer = max(prediction.count, reference.count)
            if longer == 0 { return 1.0 }
            return 1 - Double(PlainText.editDistance(prediction, reference)) / Double(longer)
        }.max()
        guard let best, best > threshold else { return 0 }
        return best
    }
}
