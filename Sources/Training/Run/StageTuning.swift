import Basics
import Checkpointing
import NeuralNetwork
import TensorCore
import Tokenization
import Tuning
import VisionLanguage

/// The methods of a stage's `tune:` at work, from their attachment to their end in the weights.
final class StageTuning {
    let tuning: Tuning
    private let bundle: ModelBundle
    private var isFinished = false

    /// Nil for a stage without `tune:`.
    ///
    /// - Throws: an error when a method does not fit, or cannot be merged although stages follow.
    init?(
        _ stage: StageRecipe, _ index: Int, _ recipe: Recipe, _ bundle: ModelBundle, seed: UInt64, digest: String?
    ) throws {
        guard !stage.tune.isEmpty else { return nil }
        self.bundle = bundle
        let tokenizer = bundle.tokenizer
        do {
            tuning = try Tuning(
                stage.tune, tree: bundle.model.parameters, seed: seed, digest: digest,
                encode: { tokenizer.encode($0) })
        } catch let problem as any Problem {
            throw UserError("stage \"\(stage.name)\": \(problem.problem)", fix: problem.fix)
        }
        if index + 1 < recipe.stages.count, let obstacle = tuning.mergeObstacle {
            tuning.detach()
            throw UserError(
                "stage \"\(stage.name)\": the next stage needs this one's result in the weights, but \(obstacle)",
                fix: "make it the last stage, or use lora, ia3, bitfit or full")
        }
    }

    /// Whether the finished weights are those that the methods began with: nothing is folded in, nothing beside the methods was trained.
    var leavesTheBase: Bool {
        tuning.mergeObstacle != nil && BaseDigest.hex(of: bundle.model.parameters) == tuning.baseDigest
    }

    /// Codes of a quantised base as tensors for checkpoints, under names of their own.
    var kept: ParameterTree {
        ParameterTree(tuning.kept.map { ($0.name, Parameter($0.tensor, decays: false, isTrainable: false)) })
    }

    /// Lets a task run each data source by itself where a method writes an adapter for each.
    ///
    /// - Throws: when the stage cannot do so.
    func divide(_ task: any StageTask, _ stage: StageRecipe) throws {
        guard tuning.dividesSources else { return }
        guard let task = task as? any DividableTask, !stage.optimizer.isFused else {
            throw UserError(
                "stage \"\(stage.name)\": hint runs each data source by itself, which "
                    + (stage.optimizer.isFused
                        ? "\(stage.optimizer.kind.rawValue) cannot" : "stages without conversations cannot"),
                fix: stage.optimizer.isFused ? "take optimizer: adamw" : "use it in a stage with objective: instruct")
        }
        task.willRunSource = { [tuning] in tuning.select(source: $0) }
    }

    /// A training step begins: dropout draws masks.
    func begin(step: Int) {
        tuning.begin(step: step)
    }

    /// The step's gradients are there.
    func end() { tuning.end() }

    /// The stage is done: writes the adapter, and folds it into the weights where that is possible.
    ///
    /// What cannot be folded stays at work; the finished model gets it as a folder of its own.
    /// - Parameter base: the model that the adapter belongs on, as it is noted in the adapter.
    func complete(_ folder: String, base: String) throws {
        let directory = try AtomicDirectory(folder)
        try AdapterFolder.write(
            tuning, tree: bundle.model.parameters, table: bundle.keyTable, base: base,
            captionPrompt: bundle.captionPrompt, to: directory.path)
        try directory.commit()
        if tuning.mergeObstacle == nil {
            try tuning.merge()
        } else {
            bundle.adapterFolder = folder
        }
        isFinished = true
    }

    deinit { finish() }

    /// Leaves the model as it was when the stage ends early.
    func finish() {
        guard !isFinished else { return }
        isFinished = true
        tuning.end()
        tuning.detach()
    }
}
