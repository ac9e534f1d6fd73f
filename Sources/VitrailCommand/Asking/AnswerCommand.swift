import ArgumentParser
import Basics
import InstructionData
import VisionLanguage

/// `vitrail answer`.
struct AnswerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "answer", abstract: "Answer questions about pictures, one or a file of them.",
        discussion: """
            EXAMPLES
              vitrail answer --model runs/pebble/final --image a.png --question "What color is the circle?"
              vitrail answer --model runs/pebble/final --input questions.jsonl --output answers.jsonl

              vitrail answer --model m --adapter color=runs/a/adapters/tune --adapter shape=runs/b/adapters/tune --input q.jsonl

            With --output a second call goes on where the first stopped; each line says in made_by what made it, so that another
            model, question or setting is not taken for the same call.

            A line of --input is {"id": …, "image": path or list of paths, "question": text, "answers": [optional]}; with several
            adapters "adapter": name chooses one of them, and none the model as it is.
            """)

    @Option(help: ArgumentHelp("Model folder.", valueName: "folder"), completion: .directory)
    var model: String

    @Option(help: ArgumentHelp("A picture; may be repeated for questions about several.", valueName: "file"))
    var image: [String] = []

    @Option(help: ArgumentHelp("The question.", valueName: "text"))
    var question: String?

    @Option(help: ArgumentHelp("Questions as JSONL.", valueName: "file"))
    var input: String?

    @Option(help: ArgumentHelp("Folder that the paths of --input are relative to.", valueName: "folder"))
    var images: String?

    @Option(help: ArgumentHelp("Append results to this JSONL file.", valueName: "file"))
    var output: String?

    @Flag(help: "Print one JSON object a line.")
    var json = false

    @OptionGroup var adapters: AdapterOptions
    @OptionGroup var generation: GenerationOptions
    @OptionGroup var quantization: QuantizeOptions
    @OptionGroup var runtime: RuntimeOptions

    func validate() throws {
        if (question == nil) == (input == nil) {
            throw ValidationError("Give either --question, with --image, or --input.")
        }
        try GenerationOptions.requireWords(question, "--question")
        if input != nil, !image.isEmpty {
            throw ValidationError("--image goes with --question; the lines of --input name their own pictures.")
        }
        if input == nil, images != nil { throw ValidationError("--images goes with --input; --image is a path.") }
    }

    func run() throws {
        try Files.requireOther([output], than: [input])
        try ImageReference.requireFolder(images)
        var items: [AnswerItem] = []
        if let question {
            try adapters.refuseNames()
            for path in image where Files.isDirectory(path) || ImageReference.isArchive(path) && Files.exists(path) {
                throw UserError(
                    "\(path) holds many pictures, and would go into one question whole",
                    fix:
                        "name a picture, or several with an --image each; vitrail caption --prompt asks about each of many"
                )
            }
            let list = try PictureList(image)
            // A question about fewer pictures is another question.
            if list.leftOut > 0 { throw ExitCode(ExitStatus.failed) }
            items.append(AnswerItem(id: "0", images: list.pictures, question: question))
        }
        if let input { items += try QuestionFile.read(input, images: images) }
        let call = InferenceRun(
            model: model, output: output, field: "prediction", noun: "answer", json: json, generation: generation,
            adapters: adapters, quantization: quantization, runtime: runtime)
        try call.run(sees: items.contains { !$0.images.isEmpty }) { _ in items }
    }
}

/// Questions with their pictures and, for evaluation, their answers: JSONL.
enum QuestionFile {
    /// - Parameter path: the file, or a folder with `questions.jsonl`.
    static func read(_ path: String, images folder: String?) throws -> [AnswerItem] {
        let path = Files.isDirectory(path) ? Paths.join(path, "questions.jsonl") : path
        let base = folder ?? Files.folder(of: path)
        var items: [AnswerItem] = []
        for line in try Files.readLines(path) {
            let json = try JSON.parse(line.text, line: line.number, of: path)
            items.append(try item(json, source: "\(path):\(line.number)", index: items.count, base: base))
        }
        guard !items.isEmpty else {
            throw UserError("\(path): no questions", fix: "a line is {\"image\": …, \"question\": …}")
        }
        return items
    }

    private static func item(_ json: JSON, source: String, index: Int, base: String) throws -> AnswerItem {
        guard let question = json["question"]?.string else {
            throw UserError("\(source): no \"question\"", fix: "a line is {\"image\": …, \"question\": …}")
        }
        guard !question.allSatisfy(\.isWhitespace) else {
            throw UserError("\(source): the question has no words", fix: "write what the model is to be asked")
        }
        let names = try texts(["image", "images"], of: json, source)
        guard !names.contains("") else {
            throw UserError(
                "\(source): a picture's path is empty",
                fix: "name a file, or leave the key out to ask without a picture")
        }
        // A picture under a key that nobody reads would be answered blind.
        let keys = json.object.map { Array($0.keys) } ?? []
        if names.isEmpty, let slip = keys.first(where: { Self.isPictureSlip($0) }) {
            throw UserError(
                "\(source): \"\(slip)\" is no key of a picture",
                fix: "write \"image\"; or leave it out to ask without a picture")
        }
        let id = json["id"].map { $0.string ?? $0.serialized() } ?? String(index)
        return AnswerItem(
            id: id, images: names.map { ImageReference($0).resolved(under: base) }, question: question,
            references: try texts(["answers", "references", "answer"], of: json, source),
            kind: try texts(["kind"], of: json, source).first, adapter: try texts(["adapter"], of: json, source).first)
    }

    private static func isPictureSlip(_ key: String) -> Bool {
        let name = key.lowercased()
        return key != "image" && key != "images"
            && (["img", "imgs", "image_path", "image_file", "picture", "photo"].contains(name)
                || Suggestion.nearest(to: name, among: ["image", "images"]) != nil)
    }

    /// The text, or the list of texts, under the first of the keys that is there; none where none is.
    private static func texts(_ keys: [String], of json: JSON, _ source: String) throws -> [String] {
        guard let key = keys.first(where: { json[$0]?.isNull == false }), let value = json[key] else { return [] }
        if let text = value.string { return [text] }
        let texts = value.array?.compactMap(\.string)
        guard let texts, texts.count == value.array?.count else {
            throw UserError("\(source): \"\(key)\" is no text and no list of texts", fix: "put it in quotes")
        }
        return texts
    }
}
