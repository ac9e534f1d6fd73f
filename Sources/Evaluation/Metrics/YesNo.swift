import Basics

/// Accuracy, precision, recall and F1 of yes/no answers, with `yes` as the positive class.
///
/// Li et al. 2023 (POPE), and its reading of a free answer: of the first sentence, commas left out, an answer with the
/// word "no", "No" or "not" means no and any other means yes. `unclear` is the share of predictions that this rule
/// takes for yes although they do not hold the word.
public struct YesNo: Metric {
    /// Creates the metric.
    public init() {}

    /// `yes-no`.
    public var name: String { "yes-no" }

    /// One line for help screens.
    public var summary: String { "accuracy, precision, recall and F1 of yes/no answers (POPE)" }

    /// True and false positives and negatives of each item.
    /// - Throws: ``UserError`` naming an item whose first reference is neither yes nor no.
    public func measure(_ predictions: [Prediction]) throws -> Measurement {
        let statistics = try predictions.map { item in
            let wanted = ExactMatch.folded(item.references.first ?? "")
            guard wanted == "yes" || wanted == "no" else {
                throw UserError(
                    "item \(item.id): reference \"\(item.references.first ?? "")\" is neither yes nor no",
                    fix: "use the metric exact or vqa, or keep only the yes/no items")
            }
            let said = Self.meansYes(item.prediction)
            let right = wanted == "yes"
            let unclear = said && !Self.words(item.prediction).contains { $0.lowercased() == "yes" }
            return [said && right, said && !right, !said && !right, !said && right, unclear].map { $0 ? 1.0 : 0.0 }
        }
        return Measurement(statistics: statistics) { sums, count in
            let (truePositive, falsePositive, trueNegative) = (sums[0], sums[1], sums[2])
            func share(_ part: Double, of whole: Double) -> Double { whole > 0 ? part / whole : 0 }
            let precision = share(truePositive, of: truePositive + falsePositive)
            let recall = share(truePositive, of: truePositive + sums[3])
            return [
                NamedScore("accuracy", share(truePositive + trueNegative, of: Double(count))),
                NamedScore("precision", precision),
                NamedScore("recall", recall),
                NamedScore("f1", share(2 * precision * recall, of: precision + recall)),
                NamedScore("yes_share", share(truePositive + falsePositive, of: Double(count))),
                NamedScore("unclear", share(sums[4], of: Double(count))),
            ]
        }
    }

    /// The words of the first sentence, without commas.
    private static func words(_ answer: String) -> [String] {
        let sentence = answer.unicodeScalars.prefix { $0 != "." }.filter { $0 != "," }
        return PlainText.words(PlainText.string(sentence))
    }

    package static func meansYes(_ answer: String) -> Bool {
        !words(answer).contains { $0 == "no" || $0 == "No" || $0 == "not" }
    }
}
