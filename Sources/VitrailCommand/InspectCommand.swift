import ArgumentParser
import Basics
import Imaging

/// `vitrail inspect`.
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Say what a file is: format, size, orientation and pixel digest of a picture.",
        discussion: """
            EXAMPLES
              vitrail inspect photo.jpg
              vitrail inspect *.png --json
            """)

    @Argument(help: "Pictures.", completion: .file())
    var files: [String]

    @Flag(help: "Print one JSON object a line.")
    var json = false

    func run() throws {
        var failures = 0
        for file in files {
            do {
                let inspection = try ImageInspection(path: file)
                if json {
                    Console.out(inspection.json.serialized())
                } else {
                    let header = inspection.header
                    Console.out(
                        "\(file): \(header.format.rawValue), \(header.size) pixels, orientation \(header.orientation.rawValue), "
                            + "\(header.bitDepth) bits \(header.colour), SHA-256 of RGB8 \(inspection.digest)")
                }
            } catch let problem as any Problem {
                failures += 1
                Console.report(problem)
            }
        }
        if failures > 0 { throw ExitCode(ExitStatus.failed) }
    }
}
