import Basics
package import Yams

/// YAML documents: recipes, templates and prompts are read through here.
package enum YAMLText {
    /// The root of a document; nil for an empty one.
    ///
    /// - Parameter source: the file's name, for messages.
    /// - Throws: `UserError` with the line of what is no YAML.
    package static func root(of text: String, source: String) throws -> Node? {
        do { return try Yams.compose(yaml: text) } catch let error as YamlError {
            let (place, reason) = told(error)
            throw UserError(
                "\(source)\(place): not valid YAML: \(reason)", fix: "correct this line, or the one before it")
        }
    }

    /// Where and what, without the text of the file, which the parser's own words repeat.
    private static func told(_ error: YamlError) -> (place: String, reason: String) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            (":\(mark.line):\(mark.column)", problem)
        case .duplicatedKeysInMapping(let keys, let context):
            (":\(context.mark.line)", "these keys stand twice: \(keys.sorted().joined(separator: ", "))")
        case .reader(let problem, _, _, _): ("", problem)
        default: ("", "\(error)")
        }
    }
}
