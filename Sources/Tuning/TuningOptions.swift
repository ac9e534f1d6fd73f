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
    /// Tokens that stand in front of every sequence.
    func virtualTokens(or fallback: Int) -> Int { extent("tokens", or: fallback, advice: "take 5 to 100") }

    /// A rank of matrices, as that of LoRA's A and B.
    func rank(_ key: String = "rank", or fallback: Int) -> Int { extent(key, or: fallback, advice: "take 4 to 64") }

    /// The columns or rows of something new; more than any matrix of a model has, whose products would have no count, are a fault.
    func extent(_ key: String, or fallback: Int, advice: String) -> Int {
        let extent = int(key, minimum: 1) ?? fallback
        if extent > 65_536 { fault("\(extent) is more than 65536", fix: advice, key: key) }
        return min(extent, 65_536)
    }

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
    public func string(_ key: String) -> String? { read(key) { $0.string } }
    /// A whole number; kernels index with 32 bits.
    public func int(_ key: String, minimum: Int) -> Int? {
        read(key) { $0.int.flatMap { (minimum...Int(Int32.max)).contains($0) ? $0 : nil } }
    }
    /// A number in a range.
    public func double(_ key: String, minimum: Double, maximum: Double) -> Double? {
        read(key) { $0.double.flatMap { (minimum...maximum).contains($0) ? $0 : nil } }
    }
    /// True or false.
    public func bool(_ key: String) -> Bool? { read(key) { $0.bool } }
    /// A list of texts.
    public func strings(_ key: String) -> [String]? {
        read(key) { $0.string.map { [$0] } ?? $0.array?.compactMap(\.string) }
    }
    /// A number by pattern.
    public func numbers(_ key: String) -> [(pattern: String, value: Double)] {
        let given = read(key) { value in
            value.object.map { $0.compactMap { key, value in value.double.map { (pattern: key, value: $0) } } }
        }
        return given ?? []
    }
    /// Notes something wrong.
    public func fault(_ problem: String, fix: String?, key: String?) { faults.append(problem) }

    /// A value that was given; one that cannot be what it should be is a fault.
    private func read<Value>(_ key: String, _ convert: (JSON) -> Value?) -> Value? {
        guard let value = object[key], !value.isNull else { return nil }
        if let converted = convert(value) { return converted }
        faults.append("\"\(key)\" cannot be \(value.serialized())")
        return nil
    }
}
