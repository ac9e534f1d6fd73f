public import Basics

/// The loss or its gradient stopped being a number.
public struct NonFiniteLoss: Problem {
    let stage: String
    let step: Int
    let folder: RunFolder
    let lastSaved: Int?

    /// What went wrong, and where.
    public var problem: String {
        "stage \"\(stage)\", step \(step): the loss or its gradient is not finite; the weights were not changed by this step"
    }

    /// What to do about it.
    public var fix: String? {
        let place = lastSaved.map { "the last good checkpoint is \(folder.checkpoint(of: stage, step: $0)); " } ?? ""
        return place + "lower the learning rate, add gradient_clip: 1.0, or lengthen the warmup, in a new run"
    }
}
