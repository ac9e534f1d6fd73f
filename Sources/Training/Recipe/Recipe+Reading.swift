import Basics
import InstructionData
import NeuralNetwork
import Tokenization
import VisionLanguage
import Yams

extension Recipe {
    /// Reads a recipe and reports everything that is wrong with it at once.
    ///
    /// - Parameters:
    ///   - path: a YAML file.
    ///   - overrides: `stages.0.batch_size=8` or `stages.align.batch_size=8`.
    ///   - stages: names of the stages to keep; nil for all of them.
    /// - Throws: `RecipeError` with all faults, or a file's error.
    public static func read(_ path: String, overrides: [String] = [], stages: [String]? = nil) throws -> Recipe {
        try parse(Files.readText(path), source: path, overrides: overrides, stages: stages)
    }

    /// Reads a recipe from its text.
    public static func parse(
        _ text: String, source: String, overrides: [String] = [], stages: [String]? = nil
    ) throws -> Recipe {
        guard var root = try YAMLText.root(of: text, source: source) else {
            throw UserError("\(source): the recipe is empty", fix: "see Models/pebble/recipe.yaml for an example")
        }
        let faults = RecipeReader.Faults()
        for override in overrides { apply(override, to: &root, faults: faults) }
        if let stages { keep(stages, of: &root, faults: faults) }
        let reader = RecipeReader(root, path: "", faults: faults)
        let recipe = read(reader, source: source)
        reader.finish()
        guard faults.all.isEmpty, var recipe else {
            throw RecipeError(source: source, faults: faults.all.sorted { ($0.line ?? 0) < ($1.line ?? 0) })
        }
        recipe.resolved = try Yams.serialize(node: root, allowUnicode: true)
        for (path, value) in faults.assumed {
            _ = set(Node(value), at: path.split { ".[]".contains($0) }.map(String.init)[...], in: &root)
        }
        recipe.complete = try Yams.serialize(node: root, allowUnicode: true)
        return recipe
    }

    /// Leaves only the named stages, in the recipe's order.
    private static func keep(_ names: [String], of root: inout Node, faults: RecipeReader.Faults) {
        guard let stages = root["stages"]?.sequence else { return }
        let known = stages.compactMap { $0["name"]?.string }
        if names.isEmpty {
            faults.all.append(
                RecipeFault(
                    line: nil, path: "--stages", problem: "no stage is named",
                    fix: "name some of: \(known.joined(separator: ", "))"))
        }
        for name in names where !known.contains(name) {
            faults.all.append(
                RecipeFault(
                    line: nil, path: "--stages \(name)", problem: "the recipe has no stage of this name",
                    fix: Suggestion.fix(for: name, among: known)))
        }
        // A name that is none is one fault, not a recipe without stages too.
        guard names.contains(where: known.contains) else { return }
        root["stages"] = Node(stages.filter { names.contains($0["name"]?.string ?? "") })
    }

    private static func read(_ reader: RecipeReader, source: String) -> Recipe? {
        let model = modelSource(reader)
        let seed = reader.int("seed", maximum: .max, or: 0)
        let precision = reader.choice("precision", or: Precision.float32)
        let threads = reader.int("threads", minimum: 1)
        let output = reader.string("output")
        let captionPrompt = reader.string("caption_prompt")
        if let captionPrompt, captionPrompt.allSatisfy(\.isWhitespace) {
            reader.add("a caption prompt needs words", fix: "write what the data asks", key: "caption_prompt")
        }
        let stages = reader.items("stages").map { path, node in
            let stage = RecipeReader(node, path: path, faults: reader.faults)
            let value = StageRecipe(stage)
            stage.finish()
            return value
        }
        if stages.isEmpty { reader.add("a recipe needs at least one stage", fix: "add \"stages:\" with a list") }
        let names = stages.map(\.name)
        for (index, name) in names.enumerated() where names.firstIndex(of: name) != index {
            reader.add("two stages are called \"\(name)\"", fix: "give each its own name", key: "stages[\(index)].name")
        }
        guard let model else { return nil }
        return Recipe(
            source: source, model: model, seed: UInt64(seed), precision: precision, threads: threads, output: output,
            captionPrompt: captionPrompt, stages: stages, resolved: "", complete: "")
    }

    private static func modelSource(_ reader: RecipeReader) -> ModelSource? {
        guard let node = reader.node("model") else {
            reader.add("\"model\" is missing", fix: "write \"model: FOLDER\", or its parts")
            return nil
        }
        if let scalar = node.scalar { return .folder(ModelFolder(scalar.string)) }
        return reader.mapping("model") { parts -> ModelSource? in
            let vocabulary = VocabularyGrowth(
                tokens: parts.strings("add_tokens") ?? [],
                multiple: parts.int("vocabulary_multiple", minimum: 1) ?? 1)
            if let folder = parts.string("folder") {
                return .folder(ModelFolder(folder, vision: parts.string("vision"), vocabulary: vocabulary))
            }
            let vision = partSource("vision", parts)
            let language = partSource("language", parts)
            if language == nil { parts.add("\"language\" is missing", fix: "name a folder, or give a shape") }
            let projector = ProjectorConfiguration(
                parts.choice("projector", or: .mlp2xGelu),
                shuffleFactor: parts.int("shuffle_factor", minimum: 1) ?? 2)
            let result = ModelParts(
                vision: vision, language: language ?? .folder(""), projector: projector,
                tokenizer: parts.string("tokenizer"), template: parts.choice("template", or: .vicuna),
                imageMode: parts.choice("image_mode", or: .square),
                featureLayer: parts.int("feature_layer", minimum: -1_000), vocabulary: vocabulary)
            return language == nil ? nil : .parts(result)
        } ?? nil
    }

    private static func partSource(_ key: String, _ reader: RecipeReader) -> PartSource? {
        guard let node = reader.node(key) else { return nil }
        if let scalar = node.scalar { return .folder(scalar.string) }
        guard node.mapping != nil else {
            reader.add("expected a folder or a shape", at: node.mark?.line, key: key)
            return nil
        }
        return .shape(json(node))
    }

    /// A YAML node as JSON, for shapes that are read like a `config.json`.
    static func json(_ node: Node) -> JSON {
        if let mapping = node.mapping {
            var object = JSONObject()
            for (key, value) in mapping { object[key.string ?? ""] = json(value) }
            return .object(object)
        }
        if let sequence = node.sequence { return .array(sequence.map(json)) }
        if node.null != nil { return .null }
        if let value = node.bool { return .bool(value) }
        if let value = node.int { return .integer(Int64(value)) }
        if let value = node.float { return .number(value) }
        return .string(node.scalar?.string ?? "")
    }

    /// Puts `value` at `path` of the recipe: indices or stage names between dots.
    private static func apply(_ override: String, to root: inout Node, faults: RecipeReader.Faults) {
        guard let equals = override.firstIndex(of: "=") else {
            faults.all.append(
                RecipeFault(
                    line: nil, path: "--set \(override)", problem: "no \"=\" in it", fix: "write --set key=value"))
            return
        }
        let keys = override[..<equals].split(separator: ".").map(String.init)
        guard let last = keys.last else {
            faults.all.append(
                RecipeFault(
                    line: nil, path: "--set \(override)", problem: "no key before the \"=\"",
                    fix: "write --set key=value"))
            return
        }
        let text = String(override[override.index(after: equals)...])
        let value = (try? Yams.compose(yaml: text)) ?? Node(text)
        if !set(value, at: keys[...], in: &root) {
            faults.all.append(
                RecipeFault(
                    line: nil, path: "--set \(override)", problem: "the recipe has no such place",
                    fix: "use dots, and stage names or indices: stages.align.batch_size=8"))
        }
        // Either says how long a stage trains; what is given here takes the place of what the recipe says.
        if let other = ["steps": "epochs", "epochs": "steps"][last] {
            remove(other, ofStageAt: keys.dropLast(), from: &root)
        }
    }

    private static func remove(_ key: String, ofStageAt keys: ArraySlice<String>, from root: inout Node) {
        guard keys.count == 2, keys.first == "stages", var stages = root["stages"]?.sequence,
            let index = place(of: keys[1], in: stages), var stage = stages[index].mapping
        else { return }
        stage[Node(key)] = nil
        stages[index] = .mapping(stage)
        root["stages"] = .sequence(stages)
    }

    /// The index of a stage by its name or its number.
    private static func place(of key: String, in stages: Node.Sequence) -> Int? {
        let index = Int(key) ?? stages.firstIndex { $0.mapping?["name"]?.string == key }
        return index.flatMap { stages.indices.contains($0) ? $0 : nil }
    }

    private static func set(_ value: Node, at keys: ArraySlice<String>, in node: inout Node) -> Bool {
        guard let key = keys.first else {
            node = value
            return true
        }
        if var mapping = node.mapping {
            var child = mapping[Node(key)] ?? Node([(Node, Node)]())
            guard set(value, at: keys.dropFirst(), in: &child) else { return false }
            mapping[Node(key)] = child
            node = .mapping(mapping)
            return true
        }
        if var sequence = node.sequence {
            guard let index = place(of: key, in: sequence) else { return false }
            guard set(value, at: keys.dropFirst(), in: &sequence[index]) else { return false }
            node = .sequence(sequence)
            return true
        }
        return false
    }
}
