/// OK-VQA: questions and annotations in VQAv2's form.
struct OKVQAConverter: DatasetConverter {
    static let kind = "okvqa"
    static let aliases = ["ok-vqa"]
    static let summary = "OK-VQA's questions file, with --annotations and --images"
    static let choices: Set<ConversionChoice> = [.annotations, .imagePattern]

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        try VQAv2Converter().convert(request, into: sink)
    }
}
