import ArgumentParser
import Basics
import CPUBackend
import Imaging
import InstructionData
import Tokenization
import VisionLanguage

/// `vitrail data preview`.
struct DataPreviewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preview",
        abstract: "Write a page to look at records: pictures, rendered prompt, loss mask in colour, tokens, templates.",
        discussion: """
            The page is one file that opens without a network. With --model the texts are the model's tokens one by one,
            as it is trained on them; without, they stand in the pieces of a chat template.

            EXAMPLES
              vitrail data preview data/shapes/train --model Models/pebble --output shapes.html
              vitrail data preview mix.jsonl --count 200 --seed 3 --output mix.html
              vitrail data preview mix.jsonl --first --template chatml --no-charts --output mix.html
            """)

    @OptionGroup var options: DataOptions

    @Option(name: .shortAndLong, help: ArgumentHelp("The page to write.", valueName: "file.html"))
    var output: String

    @Option(help: ArgumentHelp("Records that are shown.", valueName: "n"))
    var count = 48

    @Option(help: ArgumentHelp("Seed of the draw.", valueName: "s"))
    var seed: UInt64 = 17

    @Flag(help: "The first records of the file instead of drawn ones.")
    var first = false

    @Option(help: ArgumentHelp("A model's folder, for its tokens, template and picture tokens.", valueName: "folder"))
    var model: String?

    @Option(help: ArgumentHelp("The chat template (default: the model's, or vicuna_v1).", valueName: "name"))
    var template: String?

    @Flag(inversion: .prefixedNo, help: "Draw charts of lengths, which reads the whole data set.")
    var charts = true

    func run() throws {
        guard count > 0 else { throw UserError("--count \(count) shows nothing", fix: "give 1 or more") }
        try Files.requireName(output)
        let dataset = try options.open()
        try Files.requireOther([output], than: [dataset.path])
        let tokenizer = try model.map { try Tokenizer(folder: $0) }
        var settings = PreviewSettings(template: try chatTemplate(tokenizer))
        settings.count = count
        settings.seed = first ? nil : seed
        settings.tokenizer = tokenizer
        if let model, Files.exists(Paths.join(model, "config.json")) {
            let inspection = try ModelInspection(model, on: CPUBackend())
            if let layout = inspection.pictureLayout {
                settings.imageTokens = { size, index, count in
                    let size = layout.dependsOnSize ? try size() : PixelSize(width: 0, height: 0)
                    return try layout.tokens(for: size, index: index, of: count)
                }
            }
        }
        let statistics =
            try charts
            ? ProgressLine.running("record") { show in
                try DatasetStatistics(
                    dataset, workers: options.workers,
                    countTokens: tokenizer.map { tokenizer in { @Sendable text in tokenizer.encode(text).count } }
                ) { try show($0, dataset.count) }
            } : nil
        let page = try DatasetPreview(settings).html(of: dataset, statistics: statistics, workers: options.workers)
        try Files.createDirectory(Paths.parent(output))
        try Files.write(page, to: output)
        if options.json {
            return Console.out(
                JSON.object([
                    "page": .string(output), "bytes": .int(page.utf8.count), "records": .int(min(count, dataset.count)),
                ])
                .serialized())
        }
        Console.error("\(output): \(Formatting.bytes(page.utf8.count))")
    }

    private func chatTemplate(_ tokenizer: Tokenizer?) throws -> any ChatTemplate {
        if template == nil || template == "folder", let own = try tokenizer?.chatTemplate() { return own }
        let name = template ?? ChatTemplateName.vicuna.rawValue
        guard let known = ChatTemplateName(rawValue: name) else {
            let names = ChatTemplateName.allCases.map(\.rawValue)
            throw UserError(
                "unknown chat template \"\(name)\"" + Suggestion.phrase(for: name, among: names),
                fix: "one of \(names.joined(separator: ", "))")
        }
        return known.template
    }
}
