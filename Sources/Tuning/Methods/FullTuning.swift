public import Basics

/// All weights of a part: what the other methods are measured against, and what a small projector beside an adapter wants.
public struct FullTuning: TuningMethod {
    /// Its name in recipes.
    public static let name = "full"
    /// What it does.
    public static let summary = "every weight of the part"

    /// Reads its options.
    public init(_ options: any TuningOptions) {}
    /// Every weight.
    public init() {}
    /// Its options, as they are read.
    public var json: JSONObject { [:] }

    /// Puts it to work.
    public func attach(to target: TuningTarget) throws -> AttachedMethod {
        let attached = AttachedMethod(self, target)
        attached.changed = target.parameters
        attached.fold = {}
        return attached
    }
}
