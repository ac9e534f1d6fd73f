import Basics
import Synchronization

/// A line that shows how far a long command is: a bar, counts, the rate and the time left.
///
/// On a terminal the line is drawn a few times a second; elsewhere a plain line is written each half minute, so that the
/// log of a job on another machine tells something.
struct ProgressLine {
    private let noun: String
    private let start = ContinuousClock.now
    private var drawn: ContinuousClock.Instant

    /// - Parameter noun: what is counted, as "record".
    init(_ noun: String) {
        self.noun = noun
        drawn = start
    }

    /// Runs work that shows how far it is, and that is ended where nothing is lost when the program is asked to stop.
    static func running<Result>(
        _ noun: String,
        _ work: (_ show: @escaping @Sendable (_ done: Int, _ total: Int?) throws -> Void) throws -> Result
    ) throws -> Result {
        let line = Mutex(ProgressLine(noun))
        Interruption.listen()
        return try work { done, total in
            try Interruption.check()
            line.withLock { $0.show(done, of: total) }
        }
    }

    /// Shows how many are done, of how many if that is known.
    mutating func show(_ done: Int, of total: Int? = nil) {
        let now = ContinuousClock.now
        guard (now - drawn) / .seconds(1) >= (Console.isTerminal ? 0.2 : 30) else { return }
        drawn = now
        let seconds = (now - start) / .seconds(1)
        let rate = Double(done) / max(seconds, 1e-9)
        var text = total.map { "\(Formatting.count(done)) of \($0.counted(noun))" } ?? done.counted(noun)
        text += "  \(rate < 100 ? Formatting.decimal(rate, 1) : Formatting.count(rate))/s"
        if let total, rate > 0 { text += "  left \(Formatting.duration(Double(max(0, total - done)) / rate))" }
        guard Console.isTerminal else { return Console.error(text) }
        Console.status(total.map { Self.bar(done, $0) + " " + text } ?? text)
    }

    /// A bar that is full when all is done.
    static func bar(_ done: Int, _ total: Int) -> String {
        let width = 24
        let full = total > 0 ? min(width, done * width / total) : 0
        return String(repeating: "━", count: full) + String(repeating: "╌", count: width - full)
    }
}
