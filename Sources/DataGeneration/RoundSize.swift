/// How many requests a round takes where an answer may give several records or none: no more than what is missing needs by the
/// answers so far, since each is paid for.
struct RoundSize {
    /// Requests of a round at most.
    let most: Int
    private var asked = 0

    init(most: Int) { self.most = most }

    /// The next round's requests, at least one.
    mutating func next(_ sink: GenerationSink) -> Int {
        // Nothing known: as if each gave four, half of what Self-Instruct shows as examples.
        let share = asked == 0 ? 4 : max(Double(sink.report.records) / Double(asked), 0.1)
        let wanted = min(Double(most), (Double(sink.missing) / share).rounded(.up))
        let count = max(1, Int(wanted))
        asked += count
        return count
    }
}
