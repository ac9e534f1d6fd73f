import Basics
import NeuralNetwork
import TensorCore
import VisionLanguage

extension FeatureCache {
    /// The digest of everything but the picture that a tower's states depend on.
    ///
    /// Weights and shape are not all: the precision, the kernels and the number of threads decide the last bits. So the states of a
    /// picture of chance are part of it.
    static func digest(of model: VisionLanguageModel) -> String {
        guard let vision = model.vision, let shape = model.configuration.vision else { return "none" }
        var hash = SHA256()
        var features = model.configuration.features
        // Without a class token there is none to drop, whatever a folder or a recipe says of it.
        features.dropsClassToken = features.dropsClassToken && shape.hasClassToken
        hash.update(Array("\(shape) \(features)".utf8))
        for entry in vision.parameters.entries {
            hash.update(Array(entry.path.utf8))
            entry.parameter.value.floats.withUnsafeBytes { hash.update($0) }
        }
        var generator = RandomGenerator(seed: 0)
        let side = shape.imageSize
        let pixels = (0..<shape.channels * side * side).map { _ in Float(generator.uniform() * 2 - 1) }
        let probe = PictureGroup(height: side, width: side, count: 1, pixels: pixels, rows: [])
        GradientRecording.disabled { model.towerStates(probe) }.floats.withUnsafeBytes { hash.update($0) }
        return SHA256.hex(hash.finish())
    }
}
