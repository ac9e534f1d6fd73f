import Basics
import InstructionData
import TensorCore
import VisionLanguage

/// What an answer depends on, as it stands in its line: digests of the model, of the question and of the settings.
///
/// A call that goes on with a file compares them, so that answers of another model, to another prompt or under other settings are not
/// taken for its own.
struct AnswerMark {
    /// By the adapter that a question chooses; the empty name is the common one's.
    private let models: [String: String]
    private let settings: String

    /// - Parameters:
    ///   - models: what `models(in:_:)` says of the folder.
    ///   - bundle: the folder's model as it is opened.
    init(
        _ models: [String: String], _ bundle: ModelBundle, _ generation: GenerationOptions,
        _ quantization: QuantizeOptions
    ) {
        self.models = models
        settings =
            generation.words(for: bundle)
            + " \(bundle.model.backend.factorType) \(quantization.quantize?.rawValue ?? "")"
    }

    /// Marks of a folder's model with its adapters, by their names.
    static func models(in folder: String, _ adapters: AdapterOptions) throws -> [String: String] {
        let (common, named) = try adapters.folders(for: folder)
        let plain = try ModelMark.of(folder)
        var models = [AdapterSwitch.none: plain, "": try common.map { try ModelMark.of(folder, adapter: $0) } ?? plain]
        for (name, adapter) in named { models[name] = try ModelMark.of(folder, adapter: adapter) }
        return models
    }

    /// The mark of an item's answer: `model.question.settings`, each eight digits of a SHA-256.
    func mark(_ item: AnswerItem) -> String {
        let question = ([item.question] + item.images.map(\.description)).joined(separator: "\0")
        let parts = [models[item.adapter ?? ""] ?? "", SHA256.hex(of: question), SHA256.hex(of: settings)]
        return parts.map { String($0.prefix(8)) }.joined(separator: ".")
    }

    /// The part of a mark that a folder's model gives, with the adapter that lies in it.
    static func model(in folder: String) throws -> String {
        String(try ModelMark.of(folder, adapter: AdapterOptions.ownFolder(of: folder)).prefix(8))
    }

    /// What two marks differ in, in words; nil where they are equal.
    static func difference(_ one: String, _ other: String) -> String? {
        if one == other { return nil }
        let aspects = ["by another model", "for another question, prompt or picture", "with other settings"]
        let (one, other) = (one.split(separator: "."), other.split(separator: "."))
        guard one.count == aspects.count, other.count == aspects.count else { return aspects[0] }
        return aspects.indices.filter { one[$0] != other[$0] }.map { aspects[$0] }.joined(separator: ", ")
    }
}

extension GenerationOptions {
    /// What changes answers: how many are generated side by side does not.
    func words(for bundle: ModelBundle) -> String {
        let draws = temperature > 0 ? "\(temperature) \(topK) \(topP) \(minP) \(seed ?? 0)" : "0"
        return
            "\(maxNewTokens) \(draws) \(repetitionPenalty) \(beams) \(stopStrings) \(template ?? bundle.templateName)"
    }
}
