import Basics
import Tokenization

/// LLaVA's records: `{"id", "image": path | [paths], "conversations": [{"from": "human"|"gpt"|"system", "value"}]}`.
///
/// ShareGPT's role names (`user`, `assistant`, `chatgpt`, `bard`, `bing`) are read too.
enum LLaVAForm {
    static func read(_ object: JSONObject, turns: JSON) throws(RecordFault) -> RecordForm {
        guard let entries = turns.array else {
            throw RecordFault(
                "\"conversations\" must be a list, not \(turns.kind)",
                fix: "write \"conversations\": [{\"from\": \"human\", \"value\": …}, {\"from\": \"gpt\", \"value\": …}]"
            )
        }
        var result: [Turn] = []
        for (index, entry) in entries.enumerated() {
            let place = "conversations[\(index)]"
            guard let turn = entry.object else {
                throw RecordFault(
                    "\(place) must be an object, not \(entry.kind)", fix: "write {\"from\": \"human\", \"value\": …}")
            }
            guard let from = turn["from"]?.string else {
                throw RecordFault(
                    "\(place) has no text \"from\"", fix: "write \"from\": \"human\" or \"from\": \"gpt\"")
            }
            guard let value = turn["value"]?.string else {
                throw RecordFault("\(place) has no text \"value\"", fix: "write \"value\": \"…\"")
            }
            result.append(Turn(role: try role(from, place: place), content: value))
        }
        return RecordForm(
            images: try RecordForm.images(in: object, keys: ["image", "images"]),
            turns: result,
            metadata: RecordForm.rest(of: object, without: ["id", "image", "images", "conversations"]))
    }

    private static func role(_ name: String, place: String) throws(RecordFault) -> Role {
        switch name {
        case "human", "user": return .user
        case "gpt", "assistant", "chatgpt", "bard", "bing": return .assistant
        case "system": return .system
        default:
            let near = Suggestion.nearest(to: name, among: ["human", "gpt", "system", "user", "assistant"])
            throw RecordFault(
                "\(place): unknown role \"\(name)\"",
                fix: near.map { "did you mean \"\($0)\"? " } ?? "" + "known: human, gpt, system")
        }
    }
}
