import NeuralNetwork
import TensorCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Beam search over one prompt, with the bookkeeping of `transformers` (`GenerationMixin._beam_search`, early stopping off).
struct BeamSearch {
    private struct Beam {
        var ids: [Int32]
        var score: Double
        var source: Int
        var isFinished: Bool
    }

    private let model: VisionLanguageModel
    private let settings: GenerationSettings

    init(_ model: VisionLanguageModel, _ settings: GenerationSettings) {
        self.model = model
        self.settings = settings
    }

    func generate(_ prompt: Prompt) -> GeneratedAnswer {
        let width = settings.beams
        let session = GenerationSession(
            model, sequences: width, capacity: prompt.ids.count + settings.maximumNewTokens)
        var logits = session.prefill(Array(repeating: prompt, count: width))
        var running = [Beam(ids: [], score: 0, source: 0, isFinished: false)]
        var finished: [Beam] = []
        for length in 1...settings.maximumNewTokens {
            let candidates = candidates(running, logits, prompt: prompt, length: length)
            // Only those among the best `width` may end; the others lose their place to a running beam.
            for candidate in candidates.prefix(width) where candidate.isFinished {
                var ended = candidate
                ended.score /= pow(Double(length), settings.lengthPenalty)
                finished.append(ended)
            }
            finished.sort { $0.score > $1.score }
            finished = Array(finished.prefix(width))
            running = Array(candidates.filter { !$0.isFinished }.prefix(width))
            guard let best = running.first, length < settings.maximumNewTokens else { break }
            let attainable = best.score / pow(Double(length), settings.lengthPenalty)
            if finished.count == width, finished.last!.score >= attainable { break }
            session.cache.reorder(running.map(\.source) + (running.count..<width).map { $0 })
            logits = session.advance(Array(running.indices), running.map { $0.ids.last! })
        }
        guard let answer = finished.first else { return GeneratedAnswer() }
        var ids = answer.ids
        let stopped = ids.last.map { settings.stopIDs.contains($0) } ?? false
        if stopped { ids.removeLast() }
        return GeneratedAnswer(ids: ids, reason: stopped ? .stop : .length, score: answer.score)
    }

    /// The 2 · width best continuations of all beams, best first.
    private func candidates(_ running: [Beam], _ logits: LogitRows, prompt: Prompt, length: Int) -> [Beam] {
        var found: [Beam] = []
        let count = 2 * settings.beams
        for (source, beam) in running.enumerated() {
            var scores = logits[source]
            Sampler.penalize(&scores, history: prompt.ids + beam.ids, penalty: settings.repetitionPenalty)
            let top = Double(scores.max() ?? 0)
            let total = top + log(scores.reduce(0.0) { $0 + exp(Double($1) - top) })
            let best = scores.indices.sorted {
                scores[$0] != scores[$1] ? scores[$0] > scores[$1] : $0 < $1
            }.prefix(count)
            for id in best {
                found.append(
                    Beam(
                        ids: beam.ids + [Int32(id)], score: beam.score + Double(scores[id]) - total, source: source,
                        isFinished: settings.stopIDs.contains(Int32(id)) || length == settings.maximumNewTokens))
            }
        }
        return Array(found.sorted { $0.score > $1.score }.prefix(count))
    }
}
