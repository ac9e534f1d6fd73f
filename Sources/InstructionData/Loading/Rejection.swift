public import Basics

/// A record that could not become a sample, and what was done about it.
public struct Rejection: Sendable, Equatable {
    /// Its place in the order of training.
    public var position: Int
    /// Which record.
    public var index: SampleIndex
    /// The data file.
    public var path: String
    /// What is wrong, with file and line.
    public var reason: String
    /// What to do about it.
    public var fix: String?
    /// The record that took its place, when one did.
    public var replacement: SampleIndex?

    /// One line of the rejection log.
    public var json: JSON {
        var object = JSONObject()
        object["position"] = .int(position)
        object["epoch"] = .int(index.epoch)
        object["data"] = .string(path)
        object["record"] = .int(index.record)
        object["reason"] = .string(reason)
        if let fix { object["fix"] = .string(fix) }
        object["action"] = .string(replacement == nil ? "skipped" : "replaced")
        if let replacement { object["replacement"] = .int(replacement.record) }
        return .object(object)
    }
}

/// What happens to a record or picture that is broken.
public enum FaultPolicy: Sendable, Equatable {
    /// The run stops at the first.
    case fail
    /// It is left out and counted; the run stops when there are more than `limit`.
    case skip(limit: Int)
    /// A record drawn from the seed takes its place; the run stops when there are more than `limit`.
    case replace(limit: Int)

    var limit: Int {
        switch self {
        case .fail: 0
        case .skip(let limit), .replace(let limit): limit
        }
    }
}
