import Basics
import Tokenization

/// LLaVA's records: `{"id", "image": path | [paths], "conversations": [{"from": "human"|"gpt"|"system", "value"}]}`.
///
/// ShareGPT's role names (`user`, `assistant`, `chatgpt`, `bard`, `bing`) are read too.
enum LLaVAForm {
    static func read(_ object: JSONView, turns: JSONView, keepsMetadata: Bool) throws(RecordFault) -> RecordForm {
        guard let entries = turns.array else {
            throw RecordFault(
                "\"conversations\" must be a list, not \(turns.kind)",
                fix: "write \"conversations\": [{\"from\": \"human\", \"value\": …}, {\"from\": \"gpt\", \"value\": …}]"
            )
        }
        var result: [Turn] = []
        result.reserveCapacity(entries.count)
        for (index, turn) in entries.enumerated() {
            guard turn.isObject else {
                throw RecordFault(
                    "\(place(index)) must be an object, not \(turn.kind)",
                    fix: "write {\"from\": \"human\", \"value\": …}")
            }
            guard let name = turn["from"]?.string else {
                throw RecordFault(
                    "\(place(index)) has no text \"from\"", fix: "write \"from\": \"human\" or \"from\": \"gpt\"")
            }
            guard let value = turn["value"]?.string else {
                throw RecordFault("\(place(index)) has no text \"value\"", fix: "write \"value\": \"…\"")
            }
            result.append(Turn(role: try role(name, index), content: value))
        }
        return RecordForm(
            images: try RecordForm.images(in: object, "image", "images"),
            turns: result,
            metadata: keepsMetadata
                ? RecordForm.rest(of: object, without: "id", "image", "images", "conversations") : JSONObject())
    }

    /// Whether a record is written in this form with LLaVA's own names, so that its turns can be copied as they stand.
    static func isOwn(_ object: JSONView) -> Bool {
        guard let turns = object["conversations"]?.array, object["messages"] == nil else { return false }
        return turns.allSatisfy { turn in
            guard let from = turn["from"] else { return false }
            return from.isText("human") || from.isText("gpt") || from.isText("system")
        }
    }

    private static func place(_ index: Int) -> String { "conversations[\(index)]" }

    private static func role(_ name: String, _ index: Int) throws(RecordFault) -> Role {
        switch name {
        case "human", "user": return .user
        case "gpt", "assistant", "chatgpt", "bard", "bing": return .assistant
        case "system": return .system
        default:
            throw RecordFault(
                "\(place(index)): unknown role \"\(name)\"",
                fix: Suggestion.fix(
                    for: name, among: ["human", "gpt", "system", "user", "assistant"], or: "one of human, gpt, system"))
        }
    }
}
