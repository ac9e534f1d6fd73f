import Basics

/// A piece of work and its floor, measured in turn: floor, work, floor, work, …, floor.
///
/// What a machine gives swings, by half within seconds where other guests share it. Time over floor therefore compares neighbours only, which
/// saw the same machine, and takes the median over the turns: a floor of a good moment under a time of a bad one says nothing.
public struct FloorTurns: Sendable {
    /// Seconds of the work, turn by turn.
    public let seconds: [Double]
    /// Seconds of the floor beside each: the mean of the one before and the one behind it.
    public let floors: [Double]

    /// - Parameter around: seconds of the floor before each turn, and behind the last: one more than there are turns.
    public init(_ seconds: [Double], around: [Double]) {
        precondition(around.count == seconds.count + 1, "a floor before and behind each turn")
        self.seconds = seconds
        floors = seconds.indices.map { (around[$0] + around[$0 + 1]) / 2 }
    }

    /// Measures both, `turns` times.
    public init(turns: Int, floor: () -> Double, work: () -> Double) {
        var around = [floor()]
        var seconds: [Double] = []
        for _ in 0..<turns {
            seconds.append(work())
            around.append(floor())
        }
        self.init(seconds, around: around)
    }

    /// The time of each turn over the floor beside it.
    public var overFloors: [Double] { zip(seconds, floors).map { $0 / $1 } }
    /// The median of `overFloors`.
    public var overFloor: Double { overFloors.median }
    /// The median floor, in seconds.
    public var floorSeconds: Double { floors.median }
}
