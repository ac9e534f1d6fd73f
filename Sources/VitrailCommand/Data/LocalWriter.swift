import Basics
import CPUBackend
import DataGeneration
import Imaging
import InstructionData
import Tokenization
import VisionLanguage

/// A model folder as the writer of answers.
///
/// A model computes with all cores, so one thread computes at a time: it answers what the others ask meanwhile in one batch.
/// An answer does not depend on its batch, since each question has its own stream of random draws.
final class LocalWriter: CompletionWriter, @unchecked Sendable {
    // Sendable: the model is only touched by the thread that has set `isBusy`.

    let model: String
    private let bundle: ModelBundle
    private let batch: Int
    private let state: Monitor<State>

    private struct State {
        var number = 0
        var isBusy = false
        var waiting: [(number: Int, request: CompletionRequest)] = []
        var answers: [Int: Result<Completion, any Error>] = [:]
    }

    /// - Parameter batch: questions that are answered together at most.
    init(_ folder: String, backend: CPUBackend, batch: Int) throws {
        bundle = try AdapterOptions.open(folder, on: backend)
        // Many models lie in folders called final, and a run made again lies where the last one did.
        model = try "\(Paths.name(Files.resolved(folder)))-\(AnswerMark.model(in: folder))"
        self.batch = max(1, batch)
        state = Monitor(State())
    }

    private enum Turn {
        case answered(Result<Completion, any Error>)
        case computes([(number: Int, request: CompletionRequest)])
    }

    func complete(_ request: CompletionRequest) throws(CompletionFailure) -> Completion {
        let number = state.update { state in
            state.number += 1
            state.waiting.append((state.number, request))
            return state.number
        }
        while true {
            let turn = state.wait(
                until: { !$0.isBusy || $0.answers[number] != nil },
                then: { state -> Turn in
                    if let answer = state.answers.removeValue(forKey: number) { return .answered(answer) }
                    state.isBusy = true
                    return .computes(takeBatch(from: &state))
                })
            switch turn {
            case .answered(.success(let completion)): return completion
            case .answered(.failure(let error)):
                throw CompletionFailure(.refused, (error as? any Problem)?.problem ?? "\(error)")
            case .computes(let requests):
                let answers = answers(to: requests.map(\.request))
                state.update { state in
                    for (request, answer) in zip(requests, answers) { state.answers[request.number] = answer }
                    state.isBusy = false
                }
            }
        }
    }

    /// The requests that came first and are drawn alike.
    private func takeBatch(from state: inout State) -> [(number: Int, request: CompletionRequest)] {
        guard let first = state.waiting.first else { return [] }
        let alike = state.waiting.filter { $0.request.sampling == first.request.sampling }.prefix(batch)
        let taken = Set(alike.map(\.number))
        state.waiting.removeAll { taken.contains($0.number) }
        return Array(alike)
    }

    private func answers(to requests: [CompletionRequest]) -> [Result<Completion, any Error>] {
        guard requests.count > 1, let sampling = requests.first?.sampling else {
            return requests.map { request in Result { try answer([request], request.sampling)[0] } }
        }
        // A question that fails must not take the others with it.
        if let all = try? answer(requests, sampling) { return all.map { .success($0) } }
        return requests.map { request in Result { try answer([request], sampling)[0] } }
    }

    private func answer(
        _ requests: [CompletionRequest], _ sampling: CompletionRequest.Sampling
    ) throws -> [Completion] {
        let settings = GenerationSettings(
            maximumNewTokens: sampling.maximumTokens, temperature: sampling.temperature, topK: 0, topP: sampling.topP,
            minP: 0, repetitionPenalty: 1, beams: 1, seed: 0)
        let answerer = try Answerer(bundle, settings, stopStrings: sampling.stop)
        // Examples and the system's words stand in front of the question: small models know no other turns.
        let texts = requests.map { $0.messages.map(\.text).joined(separator: "\n\n") }
        let questions = try zip(requests, texts).map { request, text in
            Question(text, pictures: try pictures(of: request), stream: UInt64(request.draw))
        }
        return try zip(answerer.answer(questions), texts).map { answer, text in
            Completion(
                text: answer.text, finish: answer.reason == .length ? "length" : "stop",
                promptTokens: bundle.tokenizer.encode(text).count, completionTokens: answer.tokenCount)
        }
    }

    private func pictures(of request: CompletionRequest) throws -> [ImageTiles] {
        try request.messages.flatMap(\.pictures).map { picture in
            guard let processor = bundle.processor else {
                throw UserError(
                    "this model has no vision tower", fix: "name one that has, or a strategy without pictures")
            }
            return try picture.bytes.withUnsafeBytes { try processor.tiles(decoding: $0, source: "a picture") }
        }
    }
}
