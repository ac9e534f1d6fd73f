/// Thrown by what tells a long run's progress, to end the run in the middle; and then by the run.
public struct RunStopped: Error, Equatable {
    /// Whether what is done lies there for the same run to go on from; else nothing of it does.
    public let goesOn: Bool

    /// - Parameter goesOn: whether the same run can go on.
    public init(goesOn: Bool = false) { self.goesOn = goesOn }
}
