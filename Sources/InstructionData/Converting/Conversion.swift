public import Basics

/// A whole conversion: source to output files, each complete or not there at all.
public struct Conversion: Sendable {
    /// The kind of source.
    public var kind: String
    /// What is read.
    public var request: ConversionRequest
    /// The LLaVA JSON lines to write.
    public var output: String?
    /// The evaluation's JSON lines to write: `{"id", "image", "question", "answers"}` a question.
    public var evaluation: String?
    /// Copy pictures beside the output instead of linking their folder.
    public var copiesImages = false
    /// Looks at each picture's bytes; writes nothing, and what it throws is a fault of the picture's record.
    public var checkPicture: (@Sendable (_ bytes: UnsafeRawBufferPointer, _ name: String) throws -> Void)?
    /// Recasts every record through templates.
    public var templates: TemplateChoice?
    /// Keeps each exchange's task and fields under `tasks`, for templates and generation to come.
    public var keepsTasks = false
    /// Tells this run from all others, so that it goes on when it was killed; nil: it begins anew. Followed by the
    /// converters of records that are LLaVA's or OpenAI's already, which are the large ones.
    public var resumeKey: String?
    /// Only the records whose number in order is `index` modulo `count`.
    public var shard: Shard?

    /// A part of a conversion, so that several machines can do one together.
    public struct Shard: Sendable, Equatable {
        /// 0-based number of the part.
        public var index: Int
        /// How many parts there are.
        public var count: Int

        /// Reads `i/n` with i from 1 to n.
        /// - Throws: `UserError` that shows the form.
        public init(_ text: String) throws(UserError) {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
            guard parts.count == 2, let index = parts[0], let count = parts[1], count > 0, (1...count).contains(index)
            else {
                throw UserError(
                    "shard \"\(text)\" is not a part of a whole", fix: "write i/n with i from 1 to n, as 2/8")
            }
            (self.index, self.count) = (index - 1, count)
        }
    }

    /// A conversion with nothing to write yet.
    public init(kind: String, request: ConversionRequest) {
        self.kind = kind
        self.request = request
    }

    /// Runs it.
    /// - Parameter progress: called now and then with the number of records so far, and of all when that is known.
    /// - Throws: a `Problem`, or `RunStopped` when `progress` does; then no output file was touched.
    public func run(progress: ((_ done: Int, _ total: Int?) throws -> Void)? = nil) throws -> ConversionReport {
        let kind = try ConverterRegistry.converter(named: kind)
        try request.check(for: kind)
        let converter = kind.init()
        if checkPicture == nil {
            try Files.requireOther([output, evaluation], than: [request.input, request.annotations])
            try Files.requireApart([output, evaluation])
        }
        let writer = try ConversionWriter(self)
        var number = writer.standing.done
        let templates = try templates.map { choice throws(UserError) in try TemplateDraw(choice) }
        var request = request
        request.shard = shard
        var selectsPart = { false }
        var total: () -> Int? = { nil }
        /// Counts a record, and says whether it belongs to the part that was asked for.
        func isWanted() throws -> Bool {
            defer { number += 1 }
            if number % 16 == 15 { try progress?(number + 1, total()) }
            guard let shard, !selectsPart() else { return true }
            return number % shard.count == shard.index
        }
        let sink = ConversionSink(
            lenient: request.lenient,
            imageRootSet: { writer.setImageRoot($0) },
            write: { record in
                guard try isWanted() else { return false }
                if let templates {
                    for recast in try templates.recast(record) { try writer.write(recast) }
                } else {
                    try writer.write(record)
                }
                return true
            },
            prepare: { writer.preparation(templates) },
            writePrepared: { lines, done, report in
                number = done
                try writer.write(lines, done: done, report)
                try progress?(number, total())
            },
            note: { try writer.note($0) })
        sink.resume(writer.standing.done, writer.standing.report)
        selectsPart = { [unowned sink] in sink.selectsPart }
        total = { [unowned sink] in sink.count }
        do { try converter.convert(request, into: sink) } catch is RunStopped {
            throw RunStopped(goesOn: try writer.keep())
        }
        let report = sink.report
        // A part may be empty, so that the same call does for every part of a small whole.
        if report.records == 0, shard == nil || number == 0 {
            throw UserError(
                "\(request.input) gave no records" + (report.leftOut > 0 ? " (\(report.leftOut) left out)" : ""),
                fix: "check the input and the choices of the conversion")
        }
        try writer.commit()
        return report
    }
}
