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
