public import Basics
import NeuralNetwork
import TensorCore

/// P-tuning (Liu et al. 2021): virtual tokens that a small network writes from learned rows, which trains more smoothly than rows alone.
///
/// The file holds the rows that the network has written, so it reads back as a prompt (PEFT does the same).
public struct PTuning: TuningMethod {
    /// Its name in recipes.
    public static let name = "ptuning"
    /// What it does.
    public static let summary = "learned tokens in front of every sequence, written by a small network"
    /// Number of tokens.
    public var tokens: Int
    /// Width of the network.
    public var hidden: Int

    /// Reads its options.
    public init(_ options: any TuningOptions) {
        tokens = options.virtualTokens(or: 20)
        hidden = options.extent("hidden", or: 128, advice: "take 64 to 512")
    }
    /// This many tokens.
    public init(tokens: Int, hidden: Int = 128) { (self.tokens, self.hidden) = (tokens, hidden) }
    /// Its options, as they are read.
    public var json: JSONObject { ["tokens": .int(tokens), "hidden": .int(hidden)] }
    /// What reads its file back.
    public var saved: any TuningMethod { PromptTuning(tokens: tokens) }

    /// Puts it to work.
    public func attach(to target: TuningTarget) throws -> AttachedMethod {
        let (path, decoder) = try target.decoder(for: name)
        let encoder = PromptEncoder(tokens: tokens, columns: decoder.hiddenSize, hidden: hidden, target.initializer)
        let attached = AttachedMethod(self, target)
        for entry in encoder.parameters.entries {
            attached.add(entry.parameter, at: path, "prompt_encoder." + entry.path)
        }
        let shape = [tokens, decoder.hiddenSize]
        attached.exported = {
            let rows = GradientRecording.disabled { encoder.embeddings()?.floats ?? [] }
            return [AdapterTensor(site: path, name: "prompt_embeddings", shape: shape, values: rows)]
        }
        decoder.virtualTokens = encoder
        attached.remove = { decoder.virtualTokens = nil }
        attached.foldObstacle = "tokens in front of a sequence are no weights of the model"
        return attached
    }
}

/// Rows through three linear maps with rectifiers between, as in PEFT's `PromptEncoder`.
final class PromptEncoder: VirtualTokens {
    private let rows: Parameter
    private let maps: [Linear]

    init(tokens: Int, columns: Int, hidden: Int, _ initializer: Initializer) {
        rows = initializer.normal([tokens, columns], deviation: 1, decays: false)
        maps = [
            .evenly(inputs: columns, outputs: hidden, initializer),
            .evenly(inputs: hidden, outputs: hidden, initializer),
            .evenly(inputs: hidden, outputs: columns, initializer),
        ]
    }

    var count: Int { rows.shape[0] }
    var parameters: ParameterTree { ["embedding": rows, "maps": maps] }
    func keysAndValues(layer: Int) -> Tensor? { nil }
    func embeddings() -> Tensor? {
        maps[2](activation(.relu, maps[1](activation(.relu, maps[0](rows.tensor)))))
    }
}
