public import Basics

/// Recasts records through templates: which phrasing each exchange gets is a function of seed, record and exchange.
public struct TemplateChoice: Sendable {
    /// The phrasings.
    public var library: TemplateLibrary
    /// The seed of every draw.
    public var seed: UInt64
    /// The task of exchanges that name none.
    public var task: String?
    /// Names of the phrasings to use, `task/phrasing` or the phrasing alone; empty: all of them.
    public var only: [String] = []
    /// Names of phrasings to leave out, as for phrasings that only an evaluation sees.
    public var except: [String] = []
    /// Whether inverted phrasings take part.
    public var includesInverted = false
    /// How many phrasings each record is written in; 1 draws one an exchange, `.max` gives all.
    public var perRecord = 1

    /// One phrasing an exchange, drawn from all that are not inverted.
    public init(_ library: TemplateLibrary, seed: UInt64, task: String? = nil) {
        self.library = library
        self.seed = seed
        self.task = task
    }

    /// Checks the names in ``only``, ``except`` and ``task``.
    /// - Throws: `UserError` with the nearest name.
    public func check() throws(UserError) {
        if let task { _ = try library.task(named: task) }
        let names = library.tasks.flatMap(\.templates).map(\.name)
        for wanted in only + except where !names.contains(where: { Self.matches($0, wanted) }) {
            throw UserError(
                "no phrasing is called \"\(wanted)\"" + Suggestion.phrase(for: wanted, among: names),
                fix: "list them with: vitrail data template --list")
        }
    }

    private static func matches(_ name: String, _ wanted: String) -> Bool {
        name == wanted || name.hasSuffix("/" + wanted) || name.hasPrefix(wanted + "/")
    }

    /// The phrasings of a task that take part.
    public func templates(of task: TemplateTask) -> [PromptTemplate] {
        task.templates.filter { template in
            (includesInverted || !template.isInverted)
                && (only.isEmpty || only.contains { Self.matches(template.name, $0) })
                && !except.contains { Self.matches(template.name, $0) }
        }
    }

    /// A record in its phrasings: one, or several with `-t1`, `-t2` … behind the id.
    ///
    /// The names of the phrasings are kept under `templates`, one an exchange, the seed under `template_seed`.
    /// - Throws: `RecordFault` when a field is missing or no phrasing suits.
    func recast(_ record: ConvertedRecord) throws -> [ConvertedRecord] {
        let most =
            record.exchanges.compactMap { exchange in
                (try? task(of: exchange)).map { templates(of: $0).count }
            }.max() ?? 1
        let count = max(1, min(perRecord, most))
        return try (0..<count).map { number in
            var recast = try recast(record, number)
            if count > 1 { recast.id += "-t\(number + 1)" }
            return recast
        }
    }

    private func task(of exchange: Exchange) throws -> TemplateTask? {
        guard let name = exchange.task ?? task else { return nil }
        return try library.task(named: name)
    }

    private func recast(_ record: ConvertedRecord, _ number: Int) throws -> ConvertedRecord {
        var result = record
        var names: [JSON] = []
        for index in record.exchanges.indices {
            var exchange = record.exchanges[index]
            guard let task = try task(of: exchange) else {
                names.append(.null)
                continue
            }
            let marker = "<image>"
            let markers = record.hasMarkers ? exchange.question.count(ofUTF8: marker) : 0
            exchange.question =
                exchange.question.replacing(utf8: marker + "\n", with: "").replacing(utf8: marker, with: "").trimmed
            let fields: [String: JSON]
            do throws(MissingField) { fields = try task.values(of: exchange, record.metadata) } catch {
                throw RecordFault(
                    "the task \(task.name) needs the field \"\(error.name)\"",
                    fix: "convert the data with a converter that gives it, or choose another --task")
            }
            var generator = RandomGenerator(seed: seed, stream: "\(record.id)#\(index)")
            var order = templates(of: task)
            generator.shuffle(&order)
            if !order.isEmpty { order = Array(order[(number % order.count)...] + order[..<(number % order.count)]) }
            var chosen: (name: String, rendered: PromptTemplate.Rendered)?
            for template in order where chosen == nil {
                chosen = try template.render(fields, seed: generator.next()).map { (template.name, $0) }
            }
            guard let chosen else {
                throw RecordFault(
                    "no phrasing of \(task.name) suits this record",
                    fix: "look at its fields, or at --only and --except")
            }
            let placed = chosen.rendered.prompt.count(ofUTF8: marker)
            let images = record.hasMarkers ? markers : index == 0 ? record.images.count : 0
            let prefix = placed >= images ? "" : String(repeating: marker + "\n", count: images - placed)
            let before = exchange
            exchange.question = prefix + chosen.rendered.prompt
            if chosen.rendered.answer != before.answer {
                exchange.answer = chosen.rendered.answer
                exchange.references = [chosen.rendered.answer]
            }
            result.exchanges[index] = exchange
            names.append(.string(chosen.name))
        }
        result.hasMarkers = true
        result.metadata["templates"] = .array(names)
        result.metadata["template_seed"] = .integer(Int64(bitPattern: seed))
        return result
    }
}
