/// The accuracy of the VQA challenge: an answer counts fully when three of the other nine people gave it.
///
/// Antol et al. 2015, as the official evaluation computes it: the mean over the references of
/// `min(1, matches among the other references / 3)`. Its rule about agreement is kept: when all references are the same
/// text, prediction and references are compared without normalisation. An item with one reference is scored as if ten
/// people had given it, so that data sets with one answer a question can use the metric too.
public struct VQAAccuracy: Metric {
    /// Creates the metric.
    public init() {}

    /// `vqa`.
    public var name: String { "vqa" }

    /// One line for help screens.
    public var summary: String { "accuracy of the VQA challenge over ten answers, with its normalisation" }

    /// The accuracy of each item.
    public func measure(_ predictions: [Prediction]) -> Measurement {
        Measurement(meanOf: predictions.map(Self.accuracy), name: name)
    }

    /// What is compared for an item: prediction and references, normalised unless the references agree.
    package static func compared(_ item: Prediction) -> (prediction: String, references: [String]) {
        let prediction = VQANormalization.trimmed(item.prediction)
        let references = item.references.map(VQANormalization.trimmed)
        let first = references.first.map { Array($0.unicodeScalars) }
        guard references.contains(where: { Array($0.unicodeScalars) != first }) else { return (prediction, references) }
        return (VQANormalization.normalized(prediction), references.map(VQANormalization.normalized))
    }

    /// The accuracy of one item, from 0 to 1.
    package static func accuracy(_ item: Prediction) -> Double {
        let (prediction, references) = compared(item)
        let wanted = Array(prediction.unicodeScalars)
        let matches = references.map { Array($0.unicodeScalars) == wanted }
        if matches.count == 1 { return matches[0] ? 1 : 0 }
        let total = matches.count { $0 }
        let sum = matches.reduce(0.0) { sum, own in
            sum + min(1, Double(total - (own ? 1 : 0)) / 3)
        }
        return sum / Double(max(1, matches.count))
    }
}
