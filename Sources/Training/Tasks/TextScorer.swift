import Basics
import NeuralNetwork
import TensorCore
import Tokenization
public import VisionLanguage

/// How likely a model finds plain text: −log p of every token after the first, nothing generated.
///
/// Each text stands for itself behind the tokenizer's first token; one longer than the model's positions is cut into pieces that
/// start anew.
public struct TextScorer {
    private let bundle: ModelBundle
    private let limit: Int

    /// - Parameter longest: most tokens of a piece; nil for as many as the model was made for.
    public init(_ bundle: ModelBundle, longest: Int? = nil) {
        self.bundle = bundle
        limit = max(2, min(longest ?? .max, bundle.model.configuration.language.maximumPositions))
    }

    /// The sum of −log p over the tokens of all texts, and how many they are.
    public func score(_ texts: [String]) -> (loss: Double, tokens: Int) {
        var sum = 0.0
        var count = 0
        for text in texts {
            let ids = bundle.tokenizer.encode(text)
            let first = bundle.tokenizer.bosID.map { [$0] } ?? []
            let room = limit - first.count
            for start in stride(from: 0, to: ids.count, by: room) {
                let piece = first + ids[start..<min(start + room, ids.count)]
                guard piece.count > 1 else { continue }
                let batch = PackedBatch(
                    ids: piece, labels: piece.dropFirst() + [-1], offsets: [0, Int32(piece.count)], pictures: [])
                GradientRecording.disabled { sum += Double(bundle.model.loss(batch).scalar) }
                count += piece.count - 1
            }
        }
        return (sum, count)
    }
}
