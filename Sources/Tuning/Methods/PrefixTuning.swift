public import Basics
import NeuralNetwork
import TensorCore

/// Prefix tuning (Li & Liang 2021): learned keys and values in front of every layer's own.
public struct PrefixTuning: TuningMethod {
    /// Its name in recipes.
    public static let name = "prefix"
    /// What it does.
    public static let summary = "learned keys and values in front of every layer's own"
    /// Number of tokens.
    public var tokens: Int

    /// Reads its options.
    public init(_ options: any TuningOptions) { tokens = options.virtualTokens(or: 20) }
    /// This many tokens.
    public init(tokens: Int) { self.tokens = tokens }
    /// Its options, as they are read.
    public var json: JSONObject { ["tokens": .int(tokens)] }

    /// Puts it to work.
    public func attach(to target: TuningTarget) throws -> AttachedMethod {
        let (path, decoder) = try target.decoder(for: name)
        let columns = 2 * decoder.heads.keyValueColumns
        let prefix = PrefixRows(
            (0..<decoder.layerCount).map { _ in
                target.initializer.normal([tokens, columns], deviation: 0.02, decays: false)
            })
        let attached = AttachedMethod(self, target)
        for (layer, rows) in prefix.layers.enumerated() { attached.add(rows, at: path, "prefix.\(layer)") }
        let layers = prefix.layers
        // One row a token, the layers side by side, keys before values: PEFT's layout.
        attached.exported = { [tokens] in
            let values = layers.map { $0.value.floats }
            var joined: [Float] = []
            for token in 0..<tokens {
                for layer in values { joined += layer[token * columns..<(token + 1) * columns] }
            }
            return [
                AdapterTensor(
                    site: path, name: "prompt_embeddings", shape: [tokens, layers.count * columns], values: joined)
            ]
        }
        attached.importedAt = { [tokens] _, _, values in
            for (layer, rows) in layers.enumerated() {
                var own: [Float] = []
                for token in 0..<tokens {
                    let start = (token * layers.count + layer) * columns
                    own += values[start..<start + columns]
                }
                own.withUnsafeBytes { rows.value.backend.upload($0, to: rows.value) }
            }
        }
        decoder.virtualTokens = prefix
        attached.remove = { decoder.virtualTokens = nil }
        attached.foldObstacle = "keys and values in front of a sequence are no weights of the model"
        return attached
    }
}

/// Learned keys and values, a parameter a layer.
final class PrefixRows: VirtualTokens {
    let layers: [Parameter]

    init(_ layers: [Parameter]) { self.layers = layers }

    var count: Int { layers.first?.shape[0] ?? 0 }
    var parameters: ParameterTree { ["prefix": layers] }
    func embeddings() -> Tensor? { nil }
    func keysAndValues(layer: Int) -> Tensor? { layers[layer].tensor }
}
