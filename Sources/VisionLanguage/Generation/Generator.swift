import NeuralNetwork
import TensorCore

/// Generates answers for a batch of prompts with a key-value cache.
///
/// Prompts of unequal length are packed, not padded: each sequence has its own rows, positions and cache, so an answer does not
/// depend on its neighbours. A sequence leaves the batch as soon as it ends. What all prompts begin with, such as a system prompt in
/// front of a picture, is computed once and kept for the next call.
public final class Generator {
    private let model: VisionLanguageModel
    private var opening: PromptOpening?

    /// A generator for a model whose weights stay as they are.
    public init(_ model: VisionLanguageModel) { self.model = model }

    /// Answers, in the order of the prompts.
    ///
    /// - Parameters:
    ///   - streams: number of each prompt's stream of random draws; by default its index.
    ///   - onToken: told of every token as it comes; returns false to end that answer, with the token kept.
    public func generate(
        _ prompts: [Prompt], _ settings: GenerationSettings, streams: [UInt64]? = nil,
        onToken: ((_ prompt: Int, _ id: Int32) -> Bool)? = nil
    ) -> [GeneratedAnswer] {
        GradientRecording.disabled {
            if settings.beams > 1 {
                return prompts.map { BeamSearch(model, settings).generate($0) }
            }
            return sample(prompts, settings, streams: streams, onToken: onToken)
        }
    }

    private func sample(
        _ prompts: [Prompt], _ settings: GenerationSettings, streams: [UInt64]?, onToken: ((Int, Int32) -> Bool)?
    ) -> [GeneratedAnswer] {
        let run = begin(prompts, settings, streams: streams, onToken: onToken)
        GenerationRun.finish([run])
        return run.answers
    }

    /// Runs prompts up to their answers' first token. `GenerationRun.finish` goes on from there.
    package func begin(
        _ prompts: [Prompt], _ settings: GenerationSettings, streams: [UInt64]? = nil,
        onToken: ((_ prompt: Int, _ id: Int32) -> Bool)? = nil
    ) -> GenerationRun {
        GradientRecording.disabled {
            let capacity = (prompts.map(\.ids.count).max() ?? 0) + settings.maximumNewTokens
            let session = GenerationSession(model, sequences: prompts.count, capacity: capacity)
            let run = GenerationRun(prompts, settings, streams: streams, session, onToken: onToken)
            guard settings.maximumNewTokens > 0, !prompts.isEmpty else { return run }
            if let opening = self.opening(of: prompts) { session.begin(with: opening) }
            run.take(session.prefill(prompts), from: 0, rows: Array(prompts.indices))
            return run
        }
    }
}

extension Generator {
    /// The tokens that prompts begin with, ready for a session; nil where they are too few to be worth it.
    private func opening(of prompts: [Prompt]) -> PromptOpening? {
        // Virtual tokens stand in front of everything and are a session's own; where the prompt sees all of itself, nothing of it
        // can be computed without the rest.
        guard model.language.virtualTokens == nil, !model.configuration.attendsToWholePrompt else { return nil }
        let ids = PromptOpening.ids(of: prompts)
        if let opening, opening.ids.count <= ids.count, opening.ids.count + PromptOpening.least > ids.count,
            ids.starts(with: opening.ids)
        {
            return opening
        }
        guard ids.count >= PromptOpening.least else { return nil }
        let session = GenerationSession(model, sequences: 1, capacity: ids.count)
        _ = session.prefill([Prompt(ids: ids)])
        opening = PromptOpening(ids: ids, cache: session.cache)
        return opening
    }
}

/// Tokens that prompts begin with, and their keys and values.
struct PromptOpening {
    let ids: [Int32]
    let cache: KeyValueCache

    /// Fewer tokens than this are computed with the rest.
    static let least = 16

    /// What all prompts begin with, up to the first picture; at least one token is left to each. Of a single prompt, only what stands in
    /// front of a picture: the next one may begin alike.
    static func ids(of prompts: [Prompt]) -> [Int32] {
        guard let first = prompts.first, prompts.count > 1 || !first.pictures.isEmpty else { return [] }
        var common = first.ids.prefix { $0 >= 0 }.dropLast(first.pictures.isEmpty ? 1 : 0)
        for prompt in prompts.dropFirst() {
            let count = zip(common, prompt.ids.dropLast()).prefix { $0 == $1 }.count
            common = common.prefix(count)
        }
        return Array(common)
    }
}

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

/// Logits of the next token of several sequences.
struct LogitRows {
    fileprivate let tensor: Tensor
    /// The likeliest tokens, where they are known.
    fileprivate var likeliest: [Int32]?

    /// Those of one sequence.
    subscript(row: Int) -> [Float] { tensor.rows(row..<row + 1).floats }

    /// The likeliest token of one sequence, found without copying its logits.
    func likeliest(_ row: Int) -> Int32 {
        if let likeliest { return likeliest[row] }
        let logits = tensor.rows(row..<row + 1)
        return withExtendedLifetime(logits) {
            Sampler.likeliest(UnsafeBufferPointer(start: logits.floatPointer, count: logits.count))
        }
    }
}

extension PictureGroup {
    /// Groups of equal size as one, so that the tower runs once over all their pictures.
    static func merged(_ groups: [PictureGroup], of model: ModelConfiguration) -> [PictureGroup] {
        var sizes: [(height: Int, width: Int)] = []
        for group in groups where !sizes.contains(where: { $0 == (group.height, group.width) }) {
            sizes.append((group.height, group.width))
        }
        return sizes.map { size in
            let alike = groups.filter { ($0.height, $0.width) == size }
            guard alike.count > 1 else { return alike[0] }
            let tokens = model.visualTokenCount(height: size.height, width: size.width)
            var pixels: [Float] = []
            pixels.reserveCapacity(alike.reduce(0) { $0 + $1.pixels.count })
            var sources: [Int32]?
            var count = 0
            for group in alike {
                pixels += group.pixels
                if let own = group.sources {
                    let first = Int32(count * tokens)
                    sources = (sources ?? []) + own.map { $0 < 0 ? -1 : $0 + first }
                }
                count += group.count
            }
            return PictureGroup(
                height: size.height, width: size.width, count: count, pixels: pixels, rows: alike.flatMap(\.rows),
                sources: sources)
        }
    }
}
