import ArgumentParser
import Basics
import Tuning

/// `vitrail adapter list`.
struct AdapterListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the adapters below folders.",
        discussion: """
            EXAMPLES
              vitrail adapter list
              vitrail adapter list runs/ --json
            """)

    @Argument(help: "Folders to look below.", completion: .directory)
    var folders: [String] = ["."]

    @Flag(help: "Print one JSON object a line.")
    var json = false

    func run() throws {
        for folder in folders where !Files.isDirectory(folder) {
            throw UserError("\(folder): no such folder", fix: "name a folder with runs or adapters below it")
        }
        // A folder or an adapter that cannot be read is told of; the others are listed.
        var faults = 0
        func told<Value>(_ body: () throws -> [Value]) throws -> [Value] {
            do { return try body() } catch let problem as any Problem {
                faults += 1
                Console.report(problem)
                return []
            }
        }
        func adapters(below folder: String, depth: Int) throws -> [AdapterDescription] {
            if Files.exists(Paths.join(folder, "adapter_config.json")) {
                return try told { [try AdapterDescription(folder)] }
            }
            guard depth > 0, Files.isDirectory(folder) else { return [] }
            let names = try told { try Files.list(folder, leaveOut: { _ in }) }.filter { !$0.hasPrefix(".") }
            return try names.flatMap { name in
                try adapters(below: folder == "." ? name : Paths.join(folder, name), depth: depth - 1)
            }
        }
        let found = try folders.flatMap { try adapters(below: $0, depth: 6) }
        if json {
            for description in found { Console.out(JSON.object(description.json).serialized()) }
        } else if found.isEmpty {
            Console.error("No adapters below \(folders.joined(separator: ", ")).")
        } else {
            let rows = found.map { description in
                [
                    description.file.path, description.file.type, description.file.methods.joined(separator: "+"),
                    Formatting.count(description.parameters),
                ]
            }
            Console.table([["adapter", "type", "methods", "parameters"]] + rows, to: Console.out)
        }
        if faults > 0 { throw ExitCode(ExitStatus.failed) }
    }
}
