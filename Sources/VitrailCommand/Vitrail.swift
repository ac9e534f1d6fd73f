import ArgumentParser
import Basics
import CPUBackend

/// The command line: parse, check, call, print. The only place that names a concrete back end.
struct Vitrail: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vitrail",
        abstract: "Multimodal instruction tuning in one native binary: pictures and text in, a tuned model out.",
        discussion: """
            EXAMPLES
              vitrail synthesize data/shapes --count 2000        pictures with captions and questions
              vitrail convert folder pets/ --output pets.jsonl   a class a subfolder → instructions
              vitrail train Models/pebble/recipe.yaml            projector first, then everything
              vitrail caption --model runs/pebble/final photos/  a caption a picture
              vitrail answer --model runs/pebble/final --image a.png --question "How many circles are there?"

            Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted.
            """,
        version: "0.1.0",
        subcommands: [
            TrainCommand.self, CaptionCommand.self, AnswerCommand.self, EvaluateCommand.self, ConvertCommand.self,
            SynthesizeCommand.self, ReportCommand.self, DataCommand.self, TokenizerCommand.self,
            EstimateCommand.self, AdapterCommand.self, PatternCommand.self, InspectCommand.self, ExportCommand.self,
            ScoreCommand.self,
            BenchCommand.self,
            DoctorCommand.self,
        ])
}

/// Runs the command and turns what it throws into the exit codes that scripts rely on.
@main
enum Main {
    static func main() {
        Console.keepStandardStreams()
        Interruption.begin()
        checkCommandName()
        do {
            var command = try Vitrail.parseAsRoot(arguments)
            do {
                try InstructionSet.checkEnvironment()
                try command.run()
            } catch let code as ExitCode {
                leave(code.rawValue)
            } catch let stop as RunStopped {
                Console.error("Stopped; the same command \(stop.goesOn ? "goes on from here" : "begins anew").")
                leave(ExitStatus.interrupted)
            } catch let error as any Problem {
                Console.report(error)
                leave(ExitStatus.failed)
            }
        } catch {
            let code = Vitrail.exitCode(for: error)
            let text = Vitrail.fullMessage(for: error)
            if code == .success {
                Console.out(text)
                leave(0)
            }
            Console.error(
                code == .validationFailure ? MisspeltOption.first(in: arguments)?.told(in: text) ?? text : text)
            leave(code == .validationFailure ? ExitStatus.wrongUse : ExitStatus.failed)
        }
    }

    /// The call's words; a negative number behind an option is its value, not an option of its own, so that its range can be told.
    private static var arguments: [String] {
        CommandLine.arguments.dropFirst().reduce(into: []) { words, word in
            if let last = words.last, last.hasPrefix("--"), last != "--", !last.contains("="), word.hasPrefix("-"),
                Double(word) != nil
            {
                words[words.count - 1] = last + "=" + word
            } else {
                words.append(word)
            }
        }
    }

    /// A mistyped command, or a mistyped command of a command, gets the nearest one instead of "unexpected arguments"; behind `help`, too.
    private static func checkCommandName() {
        var path: [String] = []
        var above = ["vitrail"]
        var commands = Vitrail.configuration.subcommands
        for name in CommandLine.arguments.dropFirst() {
            guard !commands.isEmpty, !name.hasPrefix("-") else { return }
            defer { above.append(name) }
            if name == "help" { continue }
            path.append(name)
            if let command = commands.first(where: { $0.configuration.commandName == name }) {
                commands = command.configuration.subcommands
                continue
            }
            let known = commands.compactMap { $0.configuration.commandName }
            let nearest = Suggestion.nearest(to: name, among: known)
            Console.report(
                UserError(
                    "unknown command \"\(path.joined(separator: " "))\"",
                    fix: nearest.map { "write \"\((above + [$0]).joined(separator: " "))\"" }
                        ?? "one of \(known.joined(separator: ", "))"))
            leave(ExitStatus.wrongUse)
        }
    }

    private static func leave(_ code: Int32) -> Never {
        Console.flush()
        Vitrail.exit(withError: ExitCode(code))
    }
}

/// What a process says when it ends.
enum ExitStatus {
    static let failed: Int32 = 1
    static let wrongUse: Int32 = 2
    static let interrupted: Int32 = 130
}
