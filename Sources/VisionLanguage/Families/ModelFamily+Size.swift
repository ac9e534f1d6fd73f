import Basics
import Checkpointing

extension ModelFamily {
    /// Holds the size of the model against that of its weights, before memory is taken for a model that they cannot fill.
    ///
    /// - Throws: an error naming both sizes.
    func checkSize(of weights: TensorFolder, in folder: String) throws {
        // Blocks of four bits are counted in bytes, somewhat more than half a byte a weight.
        let isQuantised = published["quantization_config"]?.object != nil
        let held = weights.entries.reduce(0.0) { $0 + Double($1.count) } * (isQuantised ? 2 : 1)
        let wanted = configuration.leastParameterCount(withTower: towerName == nil)
        guard wanted > held else { return }
        throw UserError(
            "\(folder): config.json describes a model of at least \(Self.words(wanted)) parameters, the weights hold "
                + Self.words(held),
            fix: "take config.json and the weights from one place")
    }

    private static func words(_ count: Double) -> String {
        count < 1e6 ? "\(Int(count))" : count < 1e15 ? "\(Int(count / 1e6)) million" : "10^\(Int(count.logarithm))"
    }
}

extension Double {
    /// The number of decimal digits before the point, less one.
    fileprivate var logarithm: Double {
        var value = self
        var digits = 0.0
        while value >= 10, digits < 400 {
            value /= 10
            digits += 1
        }
        return digits
    }
}

extension ModelConfiguration {
    /// Weights of matrices alone, in floating point so that no configuration overflows it; less than what the model has.
    func leastParameterCount(withTower: Bool) -> Double {
        let hidden = Double(language.hiddenSize)
        let (queries, keys) = (Double(language.attentionHeads), Double(language.keyValueHeads))
        let attention = hidden * Double(language.headWidth) * (2 * queries + 2 * keys)
        var count =
            hidden * Double(language.vocabularySize) * (language.tiesWordEmbeddings ? 1 : 2)
            + Double(language.layers)
            * (attention + (language.hasGate ? 3 : 2) * hidden * Double(language.intermediateSize))
        guard let vision, withTower else { return count }
        let width = Double(vision.hiddenSize)
        let grid = Double(vision.imageSize / vision.patchSize)
        count +=
            width * (grid * grid + Double(vision.channels) * Double(vision.patchSize) * Double(vision.patchSize))
            + Double(vision.layers) * (4 * width * width + 2 * width * Double(vision.intermediateSize))
        return count
    }
}
