import ArgumentParser
import Basics

/// An option that a command does not have.
///
/// The parser tells of what is missing first, and a misspelt option is what makes another seem to be missing.
struct MisspeltOption {
    /// As it was written, without a value behind "=".
    var name: String
    /// The nearest option that there is.
    var nearest: String?

    /// The first long option of a call, in front of a lone `--`, that its command does not have; only for a call that was refused.
    static func first(in words: [String]) -> MisspeltOption? {
        var command: any ParsableCommand.Type = Vitrail.self
        var isPath = true
        for word in words.prefix(while: { $0 != "--" }) {
            if isPath,
                let next = command.configuration.subcommands.first(where: { $0.configuration.commandName == word })
            {
                command = next
                continue
            }
            isPath = false
            guard word.hasPrefix("--"), let name = word.split(separator: "=").first.map(String.init) else { continue }
            let known = options(of: command)
            if !known.contains(name) {
                return MisspeltOption(name: name, nearest: Suggestion.nearest(to: name, among: known))
            }
        }
        return nil
    }

    /// What the parser says of options that it comes to itself, above the usage that stands in its own message.
    func told(in message: String) -> String {
        let usage = message.firstRange(of: "\nUsage:").map { String(message[$0.lowerBound...]) } ?? ""
        return "Error: Unknown option '\(name)'" + (nearest.map { ". Did you mean '\($0)'?" } ?? "") + usage
    }

    /// Long names, as the help lists them: the first column of each line that begins with one.
    private static func options(of command: any ParsableCommand.Type) -> [String] {
        let lines = Vitrail.helpMessage(for: command, includeHidden: true, columns: 10_000).split(separator: "\n")
        let names = lines.filter { $0.hasPrefix("  -") }.flatMap { line in
            line.split(whereSeparator: { " ,/".contains($0) }).prefix { $0.hasPrefix("-") }.filter {
                $0.hasPrefix("--")
            }
        }
        return names.map(String.init) + ["--help", "--help-hidden", "--version", "--generate-completion-script"]
    }
}
