import ArgumentParser
import Basics
import InstructionData

/// Which records a command reads.
struct DataOptions: ParsableArguments {
    @Argument(help: "LLaVA or OpenAI-messages JSON or JSONL; or a folder with records.jsonl.", completion: .file())
    var data: String

    @Option(help: ArgumentHelp("The folder that picture paths are relative to.", valueName: "folder"))
    var images: String?

    @Flag(help: "Repair what can be repaired, and count the repairs.")
    var lenient = false

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var threading: WorkerOptions

    var workers: Int { threading.workers }

    func open() throws -> InstructionDataset {
        try ImageReference.requireFolder(images)
        return try InstructionDataset(
            Self.file(data), options: .init(imageFolder: images, lenient: lenient), workers: workers)
    }

    /// The records' file; a folder has them in `records.jsonl`.
    static func file(_ data: String) -> String {
        Files.isDirectory(data) ? Paths.join(data, "records.jsonl") : data
    }
}
