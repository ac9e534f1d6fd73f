import Basics

/// The list of rejected records of a run: one JSON object a line, only ever appended to.
///
/// A resumed run meets again what it met between its last checkpoint and its end; lines that are already there are
/// not written twice. Several logs may list into one file, each its own records: nobody holds it between two lines.
public final class RejectionLog {
    /// The file.
    public let path: String
    /// What this log belongs to (a stage's name), so that several stages can share one file.
    public let stage: String
    /// Whether the records are those that the stage is measured on, whose positions are others than the training's.
    public let isEvaluation: Bool
    private var known: Set<Int> = []

    /// Opens a log, and reads what it holds; the file is made at its first line.
    public init(path: String, stage: String, isEvaluation: Bool = false) throws {
        self.path = path
        self.stage = stage
        self.isEvaluation = isEvaluation
        guard Files.exists(path) else { return }
        for line in try Files.readText(path).utf8.split(separator: 10) {
            // A torn last line is trimmed when the file is opened for appending; here it is only not counted.
            guard let value = try? JSON.parse(String(decoding: line, as: UTF8.self), source: path) else { continue }
            guard value["stage"]?.string == stage, (value["evaluation"]?.bool ?? false) == isEvaluation else {
                continue
            }
            if let position = value["position"]?.int { known.insert(position) }
        }
    }

    /// How many records before a position are in the log.
    public func count(before position: Int) -> Int { known.count { $0 < position } }

    /// Adds a rejection, unless the log has it.
    public func append(_ rejection: Rejection) throws {
        guard known.insert(rejection.position).inserted else { return }
        var line = JSONObject()
        line["stage"] = .string(stage)
        if isEvaluation { line["evaluation"] = true }
        for (key, value) in rejection.json.object ?? JSONObject() { line[key] = value }
        let file = try AppendFile(path)
        try file.appendLine(JSON.object(line).serialized())
        try file.close()
    }
}
