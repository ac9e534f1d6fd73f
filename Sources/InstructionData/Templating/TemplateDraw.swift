import Basics

/// A ``TemplateChoice`` made ready for many records: which phrasings of which task take part is settled once.
final class TemplateDraw: Sendable {
    private final class Entry: Sendable {
        let task: TemplateTask
        let templates: [PromptTemplate]

        init(_ task: TemplateTask, _ templates: [PromptTemplate]) { (self.task, self.templates) = (task, templates) }
    }

    private let library: TemplateLibrary
    private let entries: [String: Entry]
    private let task: String?
    private let seed: UInt64
    private let perRecord: Int

    /// - Throws: `UserError` when a name in the choice is unknown.
    init(_ choice: TemplateChoice) throws(UserError) {
        try choice.check()
        library = choice.library
        task = choice.task
        seed = choice.seed
        perRecord = choice.perRecord
        var entries: [String: Entry] = [:]
        for task in choice.library.tasks {
            entries[task.name] = Entry(task, choice.templates(of: task))
        }
        self.entries = entries
    }

    /// A record in its phrasings: one, or several with `-t1`, `-t2` … behind the id.
    ///
    /// The names of the phrasings are kept under `templates`, one an exchange, the seed under `template_seed`.
    /// - Throws: `RecordFault` when a field is missing or no phrasing suits.
    func recast(_ record: ConvertedRecord) throws -> [ConvertedRecord] {
        var count = 1
        if perRecord > 1 {
            let most = try record.exchanges.compactMap { try task(of: $0)?.templates.count }.max() ?? 1
            count = max(1, min(perRecord, most))
        }
        if count == 1 { return [try recast(record, 0)] }
        return try (0..<count).map { number in
            var recast = try recast(record, number)
            recast.id += "-t\(number + 1)"
            return recast
        }
    }

    private func task(of exchange: Exchange) throws -> Entry? {
        guard let name = exchange.task ?? task else { return nil }
        if let known = entries[name] { return known }
        _ = try library.task(named: name)
        return nil
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
            if let missing = task.task.missingField(of: exchange, record.metadata) {
                throw RecordFault(
                    "the task \(task.task.name) needs the field \"\(missing)\"",
                    fix: "convert the data with a converter that gives it, or choose another --task")
            }
            var draw = Draw(task.templates.count, RandomGenerator(seed: seed, stream: "\(record.id)#\(index)"))
            let asked = exchange
            var chosen: (name: String, rendered: PromptTemplate.Rendered)?
            for place in 0..<task.templates.count where chosen == nil {
                let template = task.templates[draw[(place + number) % task.templates.count]]
                let rendered = try template.render(seed: draw.generator.next()) {
                    task.task.field($0, of: asked, record.metadata)
                }
                chosen = rendered.map { (template.name, $0) }
            }
            guard let chosen else {
                throw RecordFault(
                    "no phrasing of \(task.task.name) suits this record",
                    fix: "look at its fields, or at --only and --except")
            }
            let placed = chosen.rendered.prompt.count(ofUTF8: marker)
            let images = record.hasMarkers ? markers : index == 0 ? record.images.count : 0
            let prefix = placed >= images ? "" : String(repeating: marker + "\n", count: images - placed)
            exchange.question = prefix.isEmpty ? chosen.rendered.prompt : prefix + chosen.rendered.prompt
            if chosen.rendered.answer != exchange.answer { exchange.replaceAnswer(by: chosen.rendered.answer) }
            result.exchanges[index] = exchange
            names.append(.string(chosen.name))
        }
        result.hasMarkers = true
        result.metadata["templates"] = .array(names)
        result.metadata["template_seed"] = .integer(Int64(bitPattern: seed))
        return result
    }

    /// Numbers in random order, drawn no further than they are asked for (Fisher and Yates, from the front).
    private struct Draw {
        var generator: RandomGenerator
        private var order: [Int]
        private var drawn = 0

        init(_ count: Int, _ generator: RandomGenerator) {
            self.generator = generator
            order = Array(0..<count)
        }

        subscript(place: Int) -> Int {
            mutating get {
                while drawn <= place {
                    order.swapAt(drawn, drawn + generator.below(order.count - drawn))
                    drawn += 1
                }
                return order[place]
            }
        }
    }
}
