public import Basics

/// Reads a method's options: from a recipe, where faults have lines, or from an adapter's configuration.
public protocol TuningOptions {
    /// A text.
    func string(_ key: String) -> String?
    /// A whole number.
    func int(_ key: String, minimum: Int) -> Int?
    /// A number in a range.
    func double(_ key: String, minimum: Double, maximum: Double) -> Double?
    /// True or false.
    func bool(_ key: String) -> Bool?
    /// A list of texts; a single one may stand without a list.
    func strings(_ key: String) -> [String]?
    /// A number by pattern, in the order of the file.
    func numbers(_ key: String) -> [(pattern: String, value: Double)]
    /// Notes something wrong.
    func fault(_ problem: String, fix: String?, key: String?)
}

extension TuningOptions {
    /// One of several words.
    func choice(_ key: String, _ words: [String], _ fallback: String) -> String {
        guard let word = string(key) else { return fallback }
        if words.contains(word) { return word }
        fault("unknown value \"\(word)\"", fix: Suggestion.fix(for: word, among: words), key: key)
        return fallback
    }
}

/// Options out of JSON that this project wrote itself; anything unexpected is remembered as one fault.
public final class JSONOptions: TuningOptions {
    private let object: JSONObject
    /// What was wrong.
    public private(set) var faults: [String] = []

    /// Options of one method.
    public init(_ object: JSONObject) { self.object = object }

    /// A text.
    public func string(_ key: String) -> String? { object[key]?.string }
    /// A whole number.
    public func int(_ key: String, minimum: Int) -> Int? { object[key]?.int.flatMap { $0 >= minimum ? $0 : nil } }
    /// A number in a range.
    public func double(_ key: String, minimum: Double, maximum: Double) -> Double? {
        object[key]?.double.flatMap { (minimum...maximum).contains($0) ? $0 : nil }
    }
    /// True or false.
    public func bool(_ key: String) -> Bool? { object[key]?.bool }
    /// A list of texts.
    public func strings(_ key: String) -> [String]? {
        object[key]?.string.map { [$0] } ?? object[key]?.array?.compactMap(\.string)
    }
    /// A number by pattern.
    public func numbers(_ key: String) -> [(pattern: String, value: Double)] {
        (object[key]?.object).map { numbers in numbers.compactMap { key, value in value.double.map { (key, $0) } } }
            ?? []
    }
    /// Notes something wrong.
    public func fault(_ problem: String, fix: String?, key: String?) { faults.append(problem) }
}
