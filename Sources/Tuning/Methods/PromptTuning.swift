public import Basics
import NeuralNetwork
import TensorCore

/// Prompt tuning (Lester et al. 2021): learned rows in front of the embedded tokens of every sequence.
public struct PromptTuning: TuningMethod {
    /// Its name in recipes.
    public static let name = "prompt"
    /// What it does.
    public static let summary = "learned tokens in front of every sequence"
    /// Number of tokens.
    public var tokens: Int
    /// How they start: `random`, `vocabulary` (rows of the embedding) or `text`.
    public var initialization: String
    /// The text whose tokens they start as.
    public var text: String?

    /// Reads its options.
    public init(_ options: any TuningOptions) {
        tokens = options.virtualTokens(or: 20)
        text = options.string("text")
        initialization = options.choice(
            "init", ["random", "vocabulary", "text"], text == nil ? "vocabulary" : "text")
        if initialization == "text", text == nil {
            options.fault("init: text needs a text", fix: "add text: \"Answer the question.\"", key: "init")
        }
    }
    /// This many tokens.
    public init(tokens: Int, initialization: String = "vocabulary") {
        self.tokens = tokens
        self.initialization = initialization
    }
    /// Its options, as they are read.
    public var json: JSONObject {
        var object: JSONObject = ["tokens": .int(tokens), "init": .string(initialization)]
        if let text { object["text"] = .string(text) }
        return object
    }

    /// Puts it to work.
    public func attach(to target: TuningTarget) throws -> AttachedMethod {
        let (path, decoder) = try target.decoder(for: name)
        let columns = decoder.hiddenSize
        let rows = try start(target, decoder)
        let prompt = PromptRows(
            Parameter(Tensor(rows, shape: [tokens, columns], on: target.backend), decays: false))
        let attached = AttachedMethod(self, target)
        attached.add(prompt.rows, at: path, "prompt_embeddings")
        decoder.virtualTokens = prompt
        attached.remove = { decoder.virtualTokens = nil }
        attached.foldObstacle = "tokens in front of a sequence are no weights of the model"
        return attached
    }

    /// The first values, `[tokens, hidden]`.
    private func start(_ target: TuningTarget, _ decoder: any VirtualTokenSite) throws -> [Float] {
        var generator = RandomGenerator(seed: target.initializer.seed())
        let columns = decoder.hiddenSize
        let vocabulary = decoder.embedding.shape[0]
        func row(_ id: Int) -> [Float] { decoder.embedding.value.rows(id..<id + 1).floats }
        switch initialization {
        case "random":
            // As wide as the embedding itself: rows of deviation 1 would drown small embeddings.
            let sample = (0..<64).flatMap { _ in row(generator.below(vocabulary)) }
            let square = sample.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(max(1, sample.count))
            let deviation = square.squareRoot()
            return (0..<tokens * columns).map { _ in Float(generator.normal() * deviation) }
        case "text":
            guard let encode = target.context.encode else {
                throw UnfitMethod(target, name, "no tokenizer is at hand for init: text", fix: "write init: vocabulary")
            }
            let ids = encode(text ?? "").map(Int.init).filter { (0..<vocabulary).contains($0) }
            guard !ids.isEmpty else {
                throw UnfitMethod(target, name, "its text has no tokens", fix: "write a text, or init: vocabulary")
            }
            return (0..<tokens).flatMap { row(ids[$0 % ids.count]) }
        default:
            return (0..<tokens).flatMap { _ in row(generator.below(vocabulary)) }
        }
    }
}

/// Learned rows of the embedding.
final class PromptRows: VirtualTokens {
    let rows: Parameter

    init(_ rows: Parameter) { self.rows = rows }

    var count: Int { rows.shape[0] }
    var parameters: ParameterTree { ["prompt_embeddings": rows] }
    func embeddings() -> Tensor? { rows.tensor }
    func keysAndValues(layer: Int) -> Tensor? { nil }
}

extension TuningTarget {
    /// The decoder of the selection.
    func decoder(for method: String) throws -> (path: String, site: any VirtualTokenSite) {
        for site in sites {
            guard let decoder = site.site as? any VirtualTokenSite else { continue }
            guard decoder.virtualTokens == nil else {
                throw UnfitMethod(
                    self, method, "there are virtual tokens already", fix: "choose one of prompt, ptuning and prefix")
            }
            return (site.path, decoder)
        }
        throw UnfitMethod(
            self, method, "only a decoder reads a sequence that tokens can stand in front of",
            fix: "write it under language:; bottleneck, bitfit and lora fit here")
    }
}
