public import Basics

/// The metrics that can be asked for by name.
public enum MetricRegistry {
    /// Every metric, in the order in which help screens list them.
    public static let all: [any Metric] = [
        ExactMatch(), ExactMatch(folding: true), VQAAccuracy(), ANLS(), YesNo(), BLEU(), ROUGEL(), CIDEr(),
    ]

    /// The metrics of a comma-separated list such as `exact,vqa`, each once, in its order.
    /// - Throws: ``UserError`` naming the first unknown metric and the nearest known one.
    public static func metrics(named list: String) throws(UserError) -> [any Metric] {
        var found: [any Metric] = []
        for part in list.split(separator: ",") {
            let name = part.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            guard let metric = all.first(where: { $0.name == name }) else {
                let names = all.map(\.name)
                throw UserError(
                    "unknown metric \"\(name)\"\(Suggestion.phrase(for: name, among: names))",
                    fix: "choose from \(names.joined(separator: ", "))")
            }
            if !found.contains(where: { $0.name == name }) { found.append(metric) }
        }
        guard !found.isEmpty else {
            throw UserError("no metric named", fix: "choose from \(all.map(\.name).joined(separator: ", "))")
        }
        return found
    }
}
