public import Basics

/// Counts of a conversion.
public struct ConversionReport: Sendable, Equatable {
    /// Records emitted.
    public var records = 0
    /// Questions with answers in them.
    public var exchanges = 0
    /// Pictures that records name; a picture of several records counts for each.
    public var pictures = 0
    /// Records or exchanges left out.
    public var leftOut = 0
    /// Repairs by kind.
    public var repairs: [String: Int] = [:]

    /// No counts.
    public init() {}

    /// Counts that ``json`` wrote.
    init(_ json: JSON) {
        records = json["records"]?.int ?? 0
        exchanges = json["exchanges"]?.int ?? 0
        pictures = json["pictures"]?.int ?? 0
        leftOut = json["left_out"]?.int ?? 0
        for (name, count) in json["repairs"]?.object ?? [:] { repairs[name] = count.int }
    }

    /// The summary as JSON, repairs sorted by name.
    public var json: JSON {
        var repairs = JSONObject()
        for (name, count) in self.repairs.sorted(by: { $0.key < $1.key }) { repairs[name] = .int(count) }
        return [
            "records": .int(records), "exchanges": .int(exchanges), "pictures": .int(pictures),
            "left_out": .int(leftOut), "repairs": .object(repairs),
        ]
    }
}

/// One line of the report of repairs.
struct ConversionNotice: Sendable, Equatable {
    var path: String
    var line: Int
    /// `repaired` or `left out`.
    var action: String
    var reason: String

    var json: JSON {
        ["file": .string(path), "line": .int(line), "action": .string(action), "reason": .string(reason)]
    }
}

/// A picture that a record names is not there, or does not decode.
struct PictureFault: Error {
    var reason: String
    var fix: String?
}
