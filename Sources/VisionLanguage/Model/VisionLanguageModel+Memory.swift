public import NeuralNetwork
import TensorCore

extension VisionLanguageModel {
    /// Tells the model which gradients will stand at the end of a backward pass, so that it keeps no more for them than comes in
    /// their place: see `repeatingBlocks`.
    ///
    /// - Parameter dividesSteps: whether parts of a step may be computed side by side, in any order: see `addGradients`.
    public func expect(_ gradients: GradientBuffer, dividesSteps: Bool) {
        self.dividesSteps = dividesSteps
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
        let argument = argumentBytes(batch), kept = keptBytes(batch)
        guard kept > expectedGradientBytes, argument > 0 else { return 0 }
        let wanted = (kept - expectedGradientBytes) / argument + 1
        return wanted <= configuration.language.layers * 2 / 5 ? wanted : 0
    }

    /// Bytes of an activation function's argument in a block of the decoder.
    private func argumentBytes(_ batch: PackedBatch) -> Int {
        let decoder = configuration.language
        let columns = decoder.intermediateSize * (decoder.hasGate ? 2 : 1)
        return backend.factorType.byteCount(of: 1) * batch.tokenCount * columns
    }

    /// About how many bytes a full step keeps for its backward pass.
    func keptBytes(_ batch: PackedBatch) -> Int {
        let factor = backend.factorType.byteCount(of: 1)
        let decoder = configuration.language
        let other = 8 * decoder.hiddenSize + 2 * factor * (decoder.heads.queryColumns + decoder.heads.keyValueColumns)
        var kept = decoder.layers * (argumentBytes(batch) + batch.tokenCount * other)
        if trainsTower, let tower = configuration.vision {
            let patch = tower.patchSize
            let rows = batch.pictures.reduce(0) { $0 + $1.count * ($1.height / patch) * ($1.width / patch) }
            let row = 8 * tower.hiddenSize + factor * (4 * tower.hiddenSize + tower.intermediateSize)
            kept += tower.layers * rows * row
        }
        // Logits of few rows are kept for the head's gradient.
        if batch.supervisedCount < decoder.hiddenSize { kept += 4 * batch.supervisedCount * decoder.vocabularySize }
        return kept
    }
}
