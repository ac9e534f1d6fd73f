import Basics
import NeuralNetwork
import VisionLanguage

/// The option `cache_features` of a stage: puts the cache in the tower's place while a step runs.
final class FrozenFeatures {
    private let stage: String
    private let context: StageContext
    private let byteLimit: Int
    private var cache: FeatureCache?

    init(_ stage: StageRecipe, _ context: StageContext) {
        self.stage = stage.name
        self.context = context
        byteLimit = stage.featureCacheLimit << 30
    }

    /// Called before a step, when it is settled what the stage trains.
    ///
    /// - Throws: an error when the tower is trained, so that its features change.
    func begin() throws {
        let model = context.bundle.model
        if cache == nil {
            guard let vision = model.vision else {
                throw UserError(
                    "stage \"\(stage)\": cache_features, and this model has no vision tower",
                    fix: "remove cache_features")
            }
            let tree = vision.parameters
            let isAdapted = tree.sites.contains { ($0.site as? Linear)?.adapter != nil }
            guard tree.trainable.entries.isEmpty, !isAdapted else {
                throw UserError(
                    "stage \"\(stage)\": cache_features keeps what the vision tower makes of pictures, and this stage trains it",
                    fix: "remove cache_features, or take vision out of train: and tune:")
            }
            cache = try FeatureCache(
                context.folder.features, model: model, byteLimit: byteLimit, workers: context.workers)
        }
        model.knownStates = { [cache] group, tower in cache?.states(of: group, tower: tower) ?? tower(group) }
    }

    /// Called after a step.
    func end() { context.bundle.model.knownStates = nil }
}
