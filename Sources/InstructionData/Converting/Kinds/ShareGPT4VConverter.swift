/// ShareGPT4V's captions and mixtures: LLaVA's form; records of one exchange are detailed captions.
struct ShareGPT4VConverter: DatasetConverter {
    static let kind = "sharegpt4v"
    static let summary = "ShareGPT4V's JSON; --images names the folder above coco, sam, llava …"

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        try LLaVAConverter(captionTask: "captioning-detailed").convert(request, into: sink)
    }
}
