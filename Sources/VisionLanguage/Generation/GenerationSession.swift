import NeuralNetwork
import TensorCore

/// The model with the cache of sequences under way.
final class GenerationSession {
    private let model: VisionLanguageModel
    let cache: KeyValueCache
    /// Tokens of every prompt that are in the cache already.
    private var opened: Int32 = 0
    /// Rows up to which weights are streamed past them, so that they add up alike.
    var streamedRows: Int { model.backend.streamedRows }

    init(_ model: VisionLanguageModel, sequences: Int, capacity: Int) {
        self.model = model
        let virtual = model.language.virtualTokens?.count ?? 0
        cache = KeyValueCache(
            sequences: sequences, capacity: capacity + virtual, layers: model.configuration.language.layers)
        model.language.prime(cache)
    }

    /// Begins all sequences with tokens that are computed already; their prompts begin with them.
    func begin(with opening: PromptOpening) {
        cache.begin(with: opening.cache)
        opened = Int32(opening.ids.count)
    }

    /// Runs all prompts at once; the logits after the last token of each.
    func prefill(_ prompts: [Prompt]) -> LogitRows {
        var ids: [Int32] = []
        var positions: [Int32] = []
        var pictures: [PictureGroup] = []
        for prompt in prompts {
            let start = Int32(ids.count) - opened
            ids += prompt.ids.dropFirst(Int(opened))
            positions += (opened..<Int32(prompt.ids.count)).map { $0 }
            pictures += prompt.pictures.map { group in
                PictureGroup(
                    height: group.height, width: group.width, count: group.count, pixels: group.pixels,
                    rows: group.rows.map { $0 + start }, sources: group.sources)
            }
        }
        var segments = cache.extend(
            Array(prompts.indices), by: prompts.map { $0.ids.count - Int(opened) }, on: model.backend)
        if model.configuration.attendsToWholePrompt { segments.prefixCounts = segments.keyCounts }
        return run(
            model.embedded(ids, PictureGroup.merged(pictures, of: model.configuration)), positions: positions,
            segments: segments)
    }

    /// One token more of each of the sequences `ids`; the logits after it.
    func advance(_ sequences: [Int], _ tokens: [Int32]) -> LogitRows {
        let positions = nextPositions(sequences)
        let segments = cache.extend(sequences, by: sequences.map { _ in 1 }, on: model.backend)
        return run(model.embedded(tokens, []), positions: positions, segments: segments)
    }

    /// The same for sequences of several sessions of one model at once.
    static func advance(_ steps: [(session: GenerationSession, sequences: [Int], tokens: [Int32])]) -> LogitRows {
        let first = steps[0]
        guard steps.count > 1 else { return first.session.advance(first.sequences, first.tokens) }
        let model = first.session.model
        let positions = steps.flatMap { $0.session.nextPositions($0.sequences) }
        let joined = JoinedCache(
            steps.map { step in
                let cache = step.session.cache
                return (cache, cache.extend(step.sequences, by: step.sequences.map { _ in 1 }, on: model.backend))
            })
        return first.session.run(
            model.embedded(steps.flatMap(\.tokens), []), positions: positions, segments: joined.segments, joined)
    }

    /// The decoder counts its virtual tokens itself.
    private func nextPositions(_ sequences: [Int]) -> [Int32] {
        let virtual = model.language.virtualTokens?.count ?? 0
        return sequences.map { Int32(cache.lengths[$0] - virtual) }
    }

    /// The logits after the last token of each segment.
    private func run(
        _ x: Tensor, positions: [Int32], segments: AttentionSegments, _ joined: JoinedCache? = nil
    ) -> LogitRows {
        var context = AttentionContext(
            segments: segments, positions: RotaryPositions(positions, on: model.backend), cache: joined ?? cache)
        if let tokens = model.language.singleTokens(x, context) {
            return LogitRows(tensor: tokens.logits, likeliest: tokens.likeliest.map { Int32($0) })
        }
        context.endsWithLastRows = segments.count < segments.queryCount
        return LogitRows(tensor: model.language.logits(model.language(x, context)))
    }
}
