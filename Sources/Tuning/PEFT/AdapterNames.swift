import Basics
public import Checkpointing
public import NeuralNetwork

/// Names of a model's maps and parameters as `transformers` and PEFT have them.
public struct AdapterNames {
    private var modules: [String: String] = [:]
    private var sites: [String: String] = [:]
    private var keys: [String: String] = [:]
    private var paths: [String: String] = [:]
    private let aliases: [(from: String, to: String)]
    /// Paths of parameters and maps that stand otherwise in `transformers`: joined with others, or transposed.
    private(set) var unlike: Set<String> = []

    /// The names of a model's tree by its family's key table.
    public init(_ tree: ParameterTree, table: KeyTable) {
        aliases = table.aliases
        for entry in tree.entries {
            guard let place = table.place(ofParameter: entry.path) else { continue }
            // A map that shares a tensor with others in files (GPT-2's query, key and value) keeps its own name.
            let key = place.paths.count == 1 ? place.key : entry.path
            if place.paths.count > 1 || place.form == .transposed { unlike.insert(entry.path) }
            if place.paths.count > 1, let dot = entry.path.lastIndex(of: ".") {
                unlike.insert(String(entry.path[..<dot]))
            }
            keys[entry.path] = key
            paths[key] = entry.path
            guard let dot = key.lastIndex(of: "."), let pathDot = entry.path.lastIndex(of: "."),
                key[dot...] == entry.path[pathDot...]
            else { continue }
            modules[String(entry.path[..<pathDot])] = String(key[..<dot])
            sites[String(key[..<dot])] = String(entry.path[..<pathDot])
        }
    }

    /// A map's module name in memory of current `transformers`.
    func module(of site: String) -> String? { modules[site].map(Self.live) }

    /// A parameter's name in memory of current `transformers`.
    func name(ofParameter path: String) -> String? { keys[path].map(Self.live) }

    /// The place of a module name in any spelling.
    func site(ofModule name: String) -> String? { spellings(name).lazy.compactMap { sites[$0] }.first }

    /// The path of a parameter's name in any spelling.
    func path(ofParameter name: String) -> String? { spellings(name).lazy.compactMap { paths[$0] }.first }

    private func spellings(_ name: String) -> [String] {
        let all = [name, Self.published(name)]
        return all
            + all.flatMap { name in
                aliases.compactMap { name.hasPrefix($0.from) ? $0.to + name.dropFirst($0.from.count) : nil }
            }
    }

    /// Beginnings of names in published files and in memory, the longest first.
    private static let prefixes = [
        ("language_model.model.", "model.language_model."), ("language_model.lm_head", "lm_head"),
        ("vision_tower.vision_model.", "model.vision_tower."),
        ("multi_modal_projector.", "model.multi_modal_projector."),
    ]

    private static func live(_ key: String) -> String {
        for (file, memory) in prefixes where key.hasPrefix(file) { return memory + key.dropFirst(file.count) }
        return key
    }

    private static func published(_ name: String) -> String {
        if name.hasPrefix("model.vision_tower.vision_model.") { return String(name.dropFirst("model.".count)) }
        for (file, memory) in prefixes where name.hasPrefix(memory) { return file + name.dropFirst(memory.count) }
        return name
    }
}
