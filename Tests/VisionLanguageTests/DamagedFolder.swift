import Basics
import TestSupport
import Testing

/// One damage to a small model's folder, made anew each time from the fixtures.
struct DamagedFolder: CustomTestStringConvertible, CustomStringConvertible, Sendable {
    let name: String
    let family: String
    private let damage: @Sendable (FolderUnderDamage) throws -> Void

    init(_ name: String, _ family: String, _ damage: @escaping @Sendable (FolderUnderDamage) throws -> Void) {
        self.name = "\(family): \(name)"
        self.family = family
        self.damage = damage
    }

    var testDescription: String { name }
    var description: String { name }

    static let families = ["idefics3", "smolvlm", "llava_next"]

    /// Calls `body` with a damaged copy of the family's folder.
    func withFolder(_ body: (String) throws -> Void) throws {
        let source = Paths.join(Paths.parent(#filePath), "Fixtures/families", family)
        try withTemporaryFolder { folder in
            for file in try Files.list(source) where file != "expected.json" {
                try Fixtures.writeQuickly(Files.read(Paths.join(source, file)), to: Paths.join(folder, file))
            }
            try damage(FolderUnderDamage(path: folder))
            try body(folder)
        }
    }

    /// All damages, in a fixed order.
    static let all: [DamagedFolder] = {
        var result: [DamagedFolder] = []
        for family in families {
            for kind in [files, texts, weights, tokenizers, templates, configurations, processors] {
                result += kind(family)
            }
        }
        return result + shards("idefics3")
    }()
}

/// A folder that a damage works on.
struct FolderUnderDamage {
    let path: String

    func file(_ name: String) -> String { Paths.join(path, name) }

    func write(_ text: String, to name: String) throws { try write(Array(text.utf8), to: name) }

    func write(_ bytes: [UInt8], to name: String) throws { try Fixtures.writeQuickly(bytes, to: file(name)) }

    func cut(_ name: String, to count: (Int) -> Int) throws {
        let bytes = try Files.read(file(name))
        try write(Array(bytes.prefix(count(bytes.count))), to: name)
    }

    func change(_ name: String, _ body: (inout JSONObject) throws -> Void) throws {
        var object = try JSON.read(file(name)).object ?? [:]
        try body(&object)
        try write(JSON.object(object).serialized(), to: name)
    }

    /// Sets a value at a path of keys.
    func set(_ name: String, _ keys: [String], _ value: JSON?) throws {
        try change(name) { object in object = Self.with(object, keys[...], value) }
    }

    private static func with(_ object: JSONObject, _ keys: ArraySlice<String>, _ value: JSON?) -> JSONObject {
        var result = object
        guard let key = keys.first else { return result }
        if keys.count == 1 {
            result[key] = value
        } else {
            result[key] = .object(with(object[key]?.object ?? [:], keys.dropFirst(), value))
        }
        return result
    }

    /// The file that holds the processor's settings.
    var processor: (name: String, keys: [String]) {
        Files.exists(file("preprocessor_config.json"))
            ? ("preprocessor_config.json", []) : ("processor_config.json", ["image_processor"])
    }

    /// The weights' file taken apart and put together again.
    func weights(_ body: (inout JSONObject, inout [UInt8]) throws -> Void) throws {
        let bytes = try Files.read(file("model.safetensors"))
        let length = bytes.prefix(8).enumerated().reduce(0) { $0 + Int($1.element) << (8 * $1.offset) }
        var header = try JSON.parse(Array(bytes[8..<8 + length]), source: "header").object ?? [:]
        var data = Array(bytes[(8 + length)...])
        try body(&header, &data)
        try write(Self.file(JSON.object(header).serialized(), data), to: "model.safetensors")
    }

    static func file(_ header: String, _ data: [UInt8], length: UInt64? = nil) -> [UInt8] {
        let count = length ?? UInt64(header.utf8.count)
        return (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) } + Array(header.utf8) + data
    }
}
