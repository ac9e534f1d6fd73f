import Basics
import Imaging
import InstructionData
import Tokenization

/// Records asked about one by one, in rounds, in the order of the file.
struct RecordRounds {
    let plan: GenerationPlan
    let data: InstructionDataset
    private let store = ImageStore()

    init(_ plan: GenerationPlan) throws {
        self.plan = plan
        data = try plan.requiredData()
    }

    /// A record with what was asked about it.
    struct Item: Sendable {
        /// Where in the data; names may stand there twice.
        var position: Int
        var record: InstructionRecord
        /// A kind of request, when a strategy has several.
        var kind: String
        var request: CompletionRequest
        var digest: String
    }

    /// Asks about every record until enough is made.
    ///
    /// - Parameters:
    ///   - requests: what to ask about a record: kinds with requests.
    ///   - read: makes records of an answer.
    func run(
        _ client: CompletionClient, _ sink: GenerationSink, progress: (Int) -> Void,
        requests: @Sendable (InstructionRecord) throws -> [(kind: String, request: CompletionRequest)],
        read: (Item, Completion) throws -> Void
    ) throws {
        let model = client.model
        let positions = plan.positions(of: data.count)
        sink.begin(positions.count)
        var rest = positions[...]
        while !rest.isEmpty, !sink.isFull {
            // About no more than can still be used: answers are paid for.
            let round = Array(rest.prefix(max(1, min(plan.round, sink.missing))))
            rest = rest.dropFirst(round.count)
            let prepared = try Parallel.map(round) { position -> (items: [Item], fault: String?) in
                var repairs: [Repair] = []
                do {
                    let record = try data.unresolvedRecord(at: position, repairs: &repairs)
                    let items = try requests(record).map { kind, request in
                        Item(
                            position: position, record: record, kind: kind, request: request,
                            digest: request.digest(model: model))
                    }
                    return (items, nil)
                } catch {
                    return ([], (error as? any Problem)?.problem ?? "\(error)")
                }
            }
            for fault in prepared.compactMap(\.fault) { try sink.reject("unreadable", fault) }
            let items = prepared.flatMap(\.items)
            let answers = try client.complete(items.map(\.request))
            for (item, answer) in zip(items, answers) where !sink.isFull {
                switch answer {
                case .success(let completion) where completion.isCut:
                    try sink.reject("cut off", completion.text, request: item.digest)
                case .success(let completion): try read(item, completion)
                case .failure(let failure): try sink.reject("no answer", failure.reason, request: item.digest)
                }
            }
            progress(sink.report.records)
        }
    }

    /// A record's pictures, scaled down where they are large.
    func pictures(of record: InstructionRecord) throws -> [CompletionRequest.Picture] {
        try record.images.map { image in
            let resolved = image.resolved(under: data.imageFolder)
            return try store.withBytes(of: resolved) { bytes in
                try Self.picture(bytes, resolved.description, longest: plan.pictureSide)
            }
        }
    }

    private static func picture(
        _ bytes: UnsafeRawBufferPointer, _ name: String, longest: Int
    ) throws -> CompletionRequest.Picture {
        let header = try ImageHeader(bytes: bytes, source: name)
        let side = max(header.size.width, header.size.height)
        if side <= longest, header.orientation == .upright {
            return CompletionRequest.Picture(type: header.format == .png ? "png" : "jpeg", bytes: Array(bytes))
        }
        let image = try ImageDecoder.decode(bytes, source: name)
        let scale = min(1, Double(longest) / Double(side))
        let target = PixelSize(
            width: max(1, Int(Double(image.width) * scale)), height: max(1, Int(Double(image.height) * scale)))
        let small = try image.resized(to: target, filter: .bicubic)
        return CompletionRequest.Picture(type: "jpeg", bytes: try small.encodedJPEG(quality: 90))
    }
}

extension InstructionRecord {
    /// A record about the same pictures, with exchanges that were made.
    func with(_ exchanges: [(question: String, answer: String)], suffix: String = "") -> InstructionRecord {
        let markers = String(repeating: Conversation.imageMarker + "\n", count: images.count)
        let turns = exchanges.enumerated().flatMap { index, exchange in
            [
                Turn(role: .user, content: (index == 0 ? markers : "") + exchange.question),
                Turn(role: .assistant, content: exchange.answer),
            ]
        }
        return InstructionRecord(id: id + suffix, images: images, conversation: Conversation(turns))
    }
}
