import NeuralNetwork

/// Tokens that prompts begin with, and their keys and values.
struct PromptOpening {
    let ids: [Int32]
    let cache: KeyValueCache

    /// Fewer tokens than this are computed with the rest.
    static let least = 16

    /// What all prompts begin with, up to the first picture; at least one token is left to each. Of a single prompt, only what stands in
    /// front of a picture: the next one may begin alike.
    static func ids(of prompts: [Prompt]) -> [Int32] {
        guard let first = prompts.first, prompts.count > 1 || !first.pictures.isEmpty else { return [] }
        var common = first.ids.prefix { $0 >= 0 }.dropLast(first.pictures.isEmpty ? 1 : 0)
        for prompt in prompts.dropFirst() {
            let count = zip(common, prompt.ids.dropLast()).prefix { $0 == $1 }.count
            common = common.prefix(count)
        }
        return Array(common)
    }
}
