import ArgumentParser
import Basics
import CPUBackend
import Checkpointing
import Imaging
import InstructionData
import Tokenization
import VisionLanguage

/// `vitrail inspect`.
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Say what something is, and what is wrong with it: a model folder, weights, a picture, a dataset.",
        discussion: """
            Weights are not read: a model folder is told from its configuration and the names and shapes of its tensors.
            Exit code 1 when anything named has a problem.

            EXAMPLES
              vitrail inspect Models/pebble
              vitrail inspect model.safetensors --json
              vitrail inspect photo.jpg *.png --json
              vitrail inspect data/shapes/train/records.jsonl
            """)

    @Argument(help: "Model folders, .safetensors files, pictures, .json or .jsonl datasets.", completion: .file())
    var files: [String]

    @Flag(help: "Print one JSON object a line.")
    var json = false

    func run() throws {
        var failures = 0
        for file in files {
            do {
                if try !inspect(file) { failures += 1 }
            } catch let problem as any Problem {
                failures += 1
                Console.report(problem)
            }
        }
        if failures > 0 { throw ExitCode(ExitStatus.failed) }
    }

    /// - Returns: whether nothing is wrong.
    private func inspect(_ file: String) throws -> Bool {
        if Files.isDirectory(file) {
            guard Files.exists(Paths.join(file, "config.json")) else {
                guard Files.exists(Paths.join(file, "records.jsonl")) else {
                    throw UserError(
                        "\(file): neither a model folder (config.json) nor a dataset (records.jsonl)",
                        fix: ModelFamily.innerModel(of: file) ?? "name a folder that has one of them, or a file")
                }
                return try dataset(Paths.join(file, "records.jsonl"))
            }
            return try model(file)
        }
        let weights: Set = ["safetensors", "bin", "pt", "pth", "ckpt", "gguf"]
        if weights.contains(Paths.fileExtension(file)) { return try tensors(file) }
        if Paths.name(file) == "config.json" { return try model(Paths.parent(file)) }
        if file.hasSuffix(".jsonl") || file.hasSuffix(".json") { return try dataset(file) }
        return try picture(file)
    }

    private func model(_ folder: String) throws -> Bool {
        let model = try ModelInspection(folder, on: CPUBackend(threads: 1))
        if json {
            var object = model.json.object ?? JSONObject()
            object["path"] = .string(folder)
            Console.out(JSON.object(object).serialized())
            return model.problems.isEmpty
        }
        var facts = [(name: "folder", value: folder), ("family", model.family)]
        facts += model.parts.map { ($0.name, "\($0.shape); \($0.parameters.counted("parameter"))") }
        if model.byteCount > 0 {
            facts.append(("weights", "\(model.elements.joined(separator: ", ")), \(Formatting.bytes(model.byteCount))"))
        }
        if let picture = model.picture, let tokens = model.imageTokens {
            facts.append(
                ("picture", "\(picture) pixels\(model.isTiled ? " a tile" : ""), \(tokens.counted("token"))"))
        }
        if let vocabulary = model.vocabulary { facts.append(("vocabulary", vocabulary)) }
        if let template = model.template { facts.append(("template", template)) }
        if let prompt = model.captionPrompt { facts.append(("caption prompt", prompt)) }
        Console.facts(facts)
        for problem in model.problems { Console.out("problem: \(problem)") }
        return model.problems.isEmpty
    }

    private func tensors(_ path: String) throws -> Bool {
        let file = try TensorFile(path)
        if json {
            let entries: [JSON] = file.entries.map { entry in
                [
                    "name": .string(entry.name), "dtype": .string(entry.element.torchName),
                    "shape": .array(entry.shape.map { .int($0) }),
                ]
            }
            Console.out(
                JSON.object(["kind": "tensors", "path": .string(path), "tensors": .array(entries)]).serialized())
            return true
        }
        Console.table(
            [["tensor", "type", "shape"]]
                + file.entries.map {
                    [$0.name, $0.element.torchName, $0.shape.map(String.init).joined(separator: "×")]
                },
            to: Console.out)
        let total = file.entries.reduce(0) { $0 + $1.count }
        Console.out("\(file.entries.count.counted("tensor")), \(total.counted("element"))")
        return true
    }

    private func dataset(_ path: String) throws -> Bool {
        let dataset = try InstructionDataset(path, options: .init())
        let first = dataset.count > 0 ? try dataset.record(at: 0) : nil
        if json {
            let fact: JSON = [
                "kind": "dataset", "path": .string(path), "records": .int(dataset.count),
                "first": first.map {
                    [
                        "id": .string($0.id), "images": .array($0.images.map { .string($0.description) }),
                        "turns": .int($0.conversation.turns.count),
                    ]
                } ?? .null,
            ]
            Console.out(fact.serialized())
            return true
        }
        Console.out("\(path): \(dataset.count.counted("record"))")
        guard let first else { return true }
        Console.out("first: \(first.id), pictures: \(first.images.map(\.description).joined(separator: ", "))")
        for turn in first.conversation.turns { Console.out("  \(turn.role.rawValue): \(turn.content)") }
        Console.out("vitrail data stats and vitrail data validate tell more.")
        return true
    }

    private func picture(_ file: String) throws -> Bool {
        let inspection: ImageInspection
        do { inspection = try ImageInspection(path: file) } catch let error as ImageError
            where error.kind == .unknownFormat
        {
            throw UserError(
                "\(file): nothing that can be inspected: \(error.detail)",
                fix: "name a model folder, weights (.safetensors), a picture (PNG or JPEG) or a dataset (.json, .jsonl)"
            )
        }
        if json {
            var object: JSONObject = ["kind": "picture", "path": .string(file)]
            for (key, value) in inspection.json.object ?? JSONObject() { object[key] = value }
            Console.out(JSON.object(object).serialized())
        } else {
            let header = inspection.header
            Console.out(
                "\(file): \(header.format.rawValue), \(header.size) pixels, orientation \(header.orientation.rawValue), "
                    + "\(header.bitDepth) bits \(header.colour), SHA-256 of RGB8 \(inspection.digest)")
        }
        return true
    }
}
