import Basics
import CPUBackend
import DataGeneration
import Imaging
import Synchronization
import Tokenization
import VisionLanguage

/// A model folder as the writer of answers: one at a time, since a model computes with all cores.
final class LocalWriter: CompletionWriter, @unchecked Sendable {
    // Sendable: the model is only touched under the lock.

    let model: String
    private let bundle: ModelBundle
    private let lock = Mutex(())

    init(_ folder: String, backend: CPUBackend) throws {
        bundle = try ModelBundle.open(folder, on: backend)
        model = Paths.name(Files.resolved(folder))
    }

    func complete(_ request: CompletionRequest) throws(CompletionFailure) -> Completion {
        let result = lock.withLock { _ in Result { try answer(request) } }
        switch result {
        case .success(let completion): return completion
        case .failure(let error):
            throw CompletionFailure(.refused, (error as? any Problem)?.problem ?? "\(error)")
        }
    }

    private func answer(_ request: CompletionRequest) throws -> Completion {
        let sampling = request.sampling
        let settings = GenerationSettings(
            maximumNewTokens: sampling.maximumTokens, temperature: sampling.temperature, topK: 0, topP: sampling.topP,
            minP: 0, repetitionPenalty: 1, beams: 1, seed: UInt64(request.draw))
        let answerer = try Answerer(bundle, settings, stopStrings: sampling.stop)
        // Examples and the system's words stand in front of the question: small models know no other turns.
        let text = request.messages.map(\.text).joined(separator: "\n\n")
        let pictures = try request.messages.flatMap(\.pictures).map { picture -> ImageTiles in
            guard let processor = bundle.processor else {
                throw UserError(
                    "this model has no vision tower", fix: "name one that has, or a strategy without pictures")
            }
            return try picture.bytes.withUnsafeBytes { try processor.tiles(decoding: $0, source: "a picture") }
        }
        let answers = try answerer.answer([Question(text, pictures: pictures)])
        return Completion(
            text: answers[0].text, finish: answers[0].reason == .length ? "length" : "stop",
            promptTokens: bundle.tokenizer.encode(text).count, completionTokens: answers[0].tokenCount)
    }
}
