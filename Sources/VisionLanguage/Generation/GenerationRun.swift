import TensorCore

/// A batch of prompts on the way to their answers: what is known of them, and the session that goes on.
package final class GenerationRun {
    /// Rows below which products of few rows add up in another order.
    private static let leastRows = 3

    /// What is generated so far, in the order of the prompts.
    package private(set) var answers: [GeneratedAnswer]

    private let prompts: [[Int32]]
    private let settings: GenerationSettings
    private let session: GenerationSession
    private let onToken: ((Int, Int32) -> Bool)?
    private var samplers: [Sampler]
    /// Prompts whose answers go on, and the tokens that are taken next.
    private var active: [Int] = []
    private var next: [Int32] = []
    /// Prompts whose answers have ended, and what they ended with.
    private var ended: [(prompt: Int, token: Int32)] = []

    init(
        _ prompts: [Prompt], _ settings: GenerationSettings, streams: [UInt64]?, _ session: GenerationSession,
        onToken: ((Int, Int32) -> Bool)?
    ) {
        self.prompts = prompts.map(\.ids)
        self.settings = settings
        self.session = session
        self.onToken = onToken
        answers = prompts.map { _ in GeneratedAnswer() }
        samplers = prompts.indices.map { Sampler(settings, stream: streams?[$0] ?? UInt64($0)) }
    }

    /// Goes on until all answers of all runs are complete. Runs of one model take each step together, so that weights are read once for
    /// all, where so many rows add up as those of one run do; an answer is the same to the last bit however many runs there are.
    ///
    /// - Returns: how many steps that took; each reads the weights once.
    @discardableResult
    package static func finish(_ runs: [GenerationRun]) -> Int {
        let joinable = runs.filter(\.isJoinable)
        let rows = joinable.reduce(0) { $0 + $1.prompts.count }
        let together = RowStreaming.widened { joinable.filter { rows <= $0.session.streamedRows } }
        let apart = together.count > 1 ? runs.filter { !$0.isJoinable } : runs
        var steps = apart.reduce(0) { $0 + finish(together: [$1]) }
        if together.count > 1 { steps += RowStreaming.widened { finish(together: together) } }
        return steps
    }

    /// Whether its products add up as those of more rows do.
    private var isJoinable: Bool { hasCompany && prompts.count <= session.streamedRows }

    /// Whether so few rows never come that they add up in another order.
    private var hasCompany: Bool { prompts.count >= Self.leastRows }

    private static func finish(together runs: [GenerationRun]) -> Int {
        GradientRecording.disabled {
            var steps = 0
            while true {
                let going = runs.filter { !$0.active.isEmpty }
                if going.isEmpty { return steps }
                let rows = rows(of: going)
                let logits = GenerationSession.advance(
                    zip(going, rows).map { ($0.session, $1.map(\.prompt), $1.map(\.token)) })
                var first = 0
                for (run, rows) in zip(going, rows) {
                    run.take(logits, from: first, rows: Array(rows.map(\.prompt).prefix(run.active.count)))
                    first += rows.count
                }
                steps += 1
            }
        }
    }

    /// The sequences of the next step with their tokens. The last one or two take others along that have ended: their sums are then added
    /// up as with more neighbours.
    private static func rows(of runs: [GenerationRun]) -> [[(prompt: Int, token: Int32)]] {
        var rows = runs.map { run in zip(run.active, run.next).map { (prompt: $0, token: $1) } }
        let missing = leastRows - rows.reduce(0) { $0 + $1.count }
        if let run = runs.first, run.hasCompany, missing > 0 { rows[0] += run.ended.prefix(missing) }
        return rows
    }

    /// Takes a token for each of the prompts `rows` from the logits from a row on.
    func take(_ logits: LogitRows, from first: Int, rows: [Int]) {
        active = []
        next = []
        for (row, index) in rows.enumerated() {
            let id =
                settings.isGreedy
                ? logits.likeliest(first + row)
                : {
                    var scores = logits[first + row]
                    return samplers[index].next(&scores, history: prompts[index] + answers[index].ids)
                }()
            if settings.stopIDs.contains(id) {
                answers[index].reason = .stop
                ended.append((index, id))
                continue
            }
            answers[index].ids.append(id)
            if onToken?(index, id) == false {
                answers[index].reason = .stop
                ended.append((index, id))
                continue
            }
            if answers[index].ids.count < settings.maximumNewTokens {
                active.append(index)
                next.append(id)
            }
        }
    }
}
