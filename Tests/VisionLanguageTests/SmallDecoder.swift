import NeuralNetwork
import VisionLanguage

/// A decoder of three blocks without a tower: grouped heads, and widths that leave vectors unfilled.
func smallDecoder(_ change: (inout DecoderConfiguration) -> Void = { _ in }) -> ModelConfiguration {
    var configuration = ModelPreset.tiny.configuration
    configuration.vision = nil
    configuration.language.layers = 3
    configuration.language.hiddenSize = 96
    configuration.language.attentionHeads = 6
    configuration.language.keyValueHeads = 2
    configuration.language.headWidth = 16
    configuration.language.intermediateSize = 160
    configuration.language.vocabularySize = 300
    change(&configuration.language)
    return configuration
}
