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
                fix: "list them with: vitrail data template --list --templates Datasets/templates")
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
}
