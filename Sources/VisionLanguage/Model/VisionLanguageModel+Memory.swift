public import NeuralNetwork
import TensorCore

extension VisionLanguageModel {
    /// Tells the model which gradients will stand at the end of a backward pass, so that it keeps no more for them than comes in
    /// their place: see `repeatingBlocks`.
    public func expect(_ gradients: GradientBuffer) {
        expectedGradientBytes = gradients.parameters.reduce(0) { $0 + 4 * $1.count }
        let trained = Set(gradients.parameters.map { ObjectIdentifier($0) })
        trainsTower = vision?.parameters.entries.contains { trained.contains(ObjectIdentifier($0.parameter)) } ?? false
    }

    /// How many blocks of the decoder keep the way to their activation function's argument instead of the argument, so that what a
    /// step keeps for the backward pass takes no more than the gradients that come in its place.
    ///
    /// A step's fullest moment is the begin of the backward pass or its end, whichever is fuller. Where a few blocks, two fifths at
    /// most, bring the begin down to the end, their maps are multiplied twice; the bits are the same. More of them would cost more
    /// time than a default should: that is what `recomputesActivations` is for.
    func repeatingBlocks(_ batch: PackedBatch) -> Int {
        guard expectedGradientBytes > 0, !recomputesActivations else { return 0 }
        let factor = backend.factorType.byteCount(of: 1)
        let decoder = configuration.language
        let argument = factor * batch.tokenCount * decoder.intermediateSize * (decoder.hasGate ? 2 : 1)
        let other = 8 * decoder.hiddenSize + 2 * factor * (decoder.heads.queryColumns + decoder.heads.keyValueColumns)
        var kept = decoder.layers * (argument + batch.tokenCount * other)
        if trainsTower, let tower = configuration.vision {
            let patch = tower.patchSize
            let rows = batch.pictures.reduce(0) { $0 + $1.count * ($1.height / patch) * ($1.width / patch) }
            let row = 8 * tower.hiddenSize + factor * (4 * tower.hiddenSize + tower.intermediateSize)
            kept += tower.layers * rows * row
        }
        // Logits of few rows are kept for the head's gradient.
        if batch.supervisedCount < decoder.hiddenSize { kept += 4 * batch.supervisedCount * decoder.vocabularySize }
        guard kept > expectedGradientBytes, argument > 0 else { return 0 }
        let wanted = (kept - expectedGradientBytes) / argument + 1
        return wanted <= decoder.layers * 2 / 5 ? wanted : 0
    }
}
