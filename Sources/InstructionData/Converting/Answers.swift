/// Choosing among several annotators' answers.
enum Answers {
    /// The most frequent answer, the first of equals; nil when there is none.
    static func mostFrequent(_ answers: [String]) -> String? {
        var counts: [String: Int] = [:]
        for answer in answers { counts[answer, default: 0] += 1 }
        let most = counts.values.max() ?? 0
        return answers.first { counts[$0] == most }
    }

    /// The task that a question with a short answer belongs to.
    static func task(of answer: String) -> String {
        ["yes", "no"].contains(answer.lowercased()) ? "yes-no" : "vqa-short"
    }
}
