import ArgumentParser
import Basics
import Imaging
import InstructionData

/// `vitrail convert`.
struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Turn published or own data into image-instruction records (LLaVA's JSON lines).",
        discussion: """
            KINDS
            \(kinds)

            Questions about one picture become one conversation, so its tokens are computed once. Pictures outside the
            output's folder are reached through one link beside it, <output>-images, or copied with --copy-images; where
            another file there needs that name for other pictures, it is <output>-images-2.

            EXAMPLES
              vitrail convert folder pets/ --output pets.jsonl
              vitrail convert csv qa.csv --image-column file --question-column q --answer-column a --output qa.jsonl
              vitrail convert easy-vqa easy-vqa.tar --split train --output data/train.jsonl
              vitrail convert easy-vqa easy-vqa.tar --split test --evaluation data/questions.jsonl
              vitrail convert vqav2 questions.json --annotations annotations.json --images val2014 --output v.jsonl
              vitrail convert llava mix.json --images images --check
              vitrail convert easy-vqa easy-vqa.tar --templates Datasets/templates --output data/train.jsonl
            """)

    private static let kinds = ConverterRegistry.all.map { converter in
        let names = ([converter.kind] + converter.aliases).joined(separator: ", ")
        return "  \(names)\n      \(converter.summary)"
    }.joined(separator: "\n")

    @Argument(help: "What the input is; see KINDS.")
    var kind: String

    @Argument(help: "A file, folder or archive.", completion: .file())
    var input: String

    @Option(name: .shortAndLong, help: ArgumentHelp("The records to write, JSON lines.", valueName: "file.jsonl"))
    var output: String?

    @Option(
        help: ArgumentHelp(
            "Also (or only) write questions with all accepted answers, for vitrail evaluate.", valueName: "file.jsonl"))
    var evaluation: String?

    @Option(help: ArgumentHelp("The folder that picture paths are relative to.", valueName: "folder"))
    var images: String?

    @Option(help: ArgumentHelp("The second file of forms that have one, such as vqav2; see KINDS.", valueName: "file"))
    var annotations: String?

    @Option(help: ArgumentHelp("The part of the data, such as train or test.", valueName: "name"))
    var split: String?

    @Option(help: ArgumentHelp("Column of the picture's path.", valueName: "name"))
    var imageColumn: String?

    @Option(help: ArgumentHelp("Column of the question.", valueName: "name"))
    var questionColumn: String?

    @Option(help: ArgumentHelp("Column of the answer.", valueName: "name"))
    var answerColumn: String?

    @Option(help: ArgumentHelp("Column of the record's name.", valueName: "name"))
    var idColumn: String?

    @Option(help: ArgumentHelp("The question, for data that has none (captions, classes).", valueName: "text"))
    var question: String?

    @Option(
        help: ArgumentHelp(
            "Put behind each question, as \"Answer the question using a single word or phrase.\"", valueName: "text"))
    var questionSuffix: String?

    @Option(
        help: ArgumentHelp(
            "A picture's file name from its number (vqav2), as COCO_val2014_{id:012}.jpg.", valueName: "pattern"))
    var imagePattern: String?

    @Flag(help: "One record a question, rather than one a picture.")
    var oneQuestion = false

    @Flag(help: "Repair or leave out what is broken, and list it in <output>.repairs.jsonl.")
    var lenient = false

    @Flag(help: "Copy the pictures beside the output.")
    var copyImages = false

    @Flag(help: "Read everything, decode every picture, write nothing.")
    var check = false

    @Option(help: ArgumentHelp("Only part i of n, so that several machines share the work.", valueName: "i/n"))
    var shard: String?

    @OptionGroup(title: "Templates") var templates: TemplateOptions

    @Flag(help: "Keep each exchange's task and fields (choices, boxes, counts) under \"tasks\", for templates later.")
    var tasks = false

    @Flag(help: "Print the counts as JSON.")
    var json = false

    func run() throws {
        var request = ConversionRequest(input: input)
        request.images = images
        request.annotations = annotations
        request.split = split
        request.columns.image = imageColumn
        request.columns.question = questionColumn
        request.columns.answer = answerColumn
        request.columns.id = idColumn
        request.question = question
        request.questionSuffix = questionSuffix
        request.imagePattern = imagePattern
        request.oneQuestion = oneQuestion
        request.lenient = lenient
        var conversion = Conversion(kind: kind, request: request)
        conversion.output = output
        conversion.evaluation = evaluation
        conversion.copiesImages = copyImages
        conversion.shard = try shard.map { try Conversion.Shard($0) }
        conversion.templates = try templates.choice()
        conversion.keepsTasks = tasks
        conversion.resumeKey = RunKey.make(of: [input, annotations, templates.templates])
        if check {
            conversion.checkPicture = { bytes, name in _ = try ImageDecoder.decode(bytes, source: name) }
        }
        let report = try ProgressLine.running("record") { show in try conversion.run(progress: show) }
        if json { return Console.out(report.json.serialized()) }
        if report.records == 0, let shard { Written.tellEmptyPart(shard) }
        Console.error(
            "\(report.records.counted("record")) with \(report.exchanges.counted("question"))"
                + (check ? " are sound." : ": \([output, evaluation].compactMap { $0 }.joined(separator: ", "))"))
        for (repair, count) in report.repairs.sorted(by: { $0.key < $1.key }) {
            Console.error("\(Formatting.count(count)) × \(repair)")
        }
        if report.leftOut > 0 {
            Console.error("\(Formatting.count(report.leftOut)) left out")
            if check { throw ExitCode(ExitStatus.failed) }
        }
    }
}
