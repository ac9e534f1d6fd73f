import NeuralNetwork
import TensorCore
import Tokenization

/// Which tokens a model gets besides its own, and how its embedding grows for them.
public struct VocabularyGrowth: Hashable, Sendable {
    /// Special tokens that the tokenizer gets behind its vocabulary, where it lacks them.
    public var tokens: [String]
    /// The embedding's rows are rounded up to a multiple of this; 1 adds as many as there are tokens.
    public var multiple: Int

    /// Growth by tokens; none by default.
    public init(tokens: [String] = [], multiple: Int = 1) {
        self.tokens = tokens
        self.multiple = max(1, multiple)
    }
}

extension ModelBundle {
    /// Gives every token of the tokenizer a row of the embedding and of the head, rounded up to a multiple.
    func growVocabulary(roundedTo multiple: Int) {
        let needed = max(model.configuration.language.vocabularySize, tokenizer.vocabularySize)
        model.growVocabulary(to: (needed + multiple - 1) / multiple * multiple)
    }
}

extension VisionLanguageModel {
    /// Adds rows to the embedding and the output head, each the mean of the rows that are there (Hewitt 2021), so that the new
    /// tokens change the old ones' probabilities as little as possible. A smaller number changes nothing.
    ///
    /// Before training only: parameters are replaced.
    public func growVocabulary(to rows: Int) {
        guard rows > configuration.language.vocabularySize else { return }
        language.growVocabulary(to: rows)
        configuration.language = language.configuration
    }
}
