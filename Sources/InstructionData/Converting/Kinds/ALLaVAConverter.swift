/// ALLaVA's captions and instructions: LLaVA's form, with the original question, address and source kept.
struct ALLaVAConverter: DatasetConverter {
    static let kind = "allava"
    static let summary = "ALLaVA's JSON of captions or instructions; --images names the folder above allava_laion"

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        try LLaVAConverter(captionTask: nil).convert(request, into: sink)
    }
}
