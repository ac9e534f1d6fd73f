import Basics
import CPUBackend
import NeuralNetwork
import TensorCore
import Testing
import Tuning
import VisionLanguage

/// Tokens of one or several sequences through all blocks at once, beside the same tokens layer by layer: equal in every bit.
@Suite struct TokenPassTests {
    static let storages: [WeightStorage?] = [nil, .bfloat16, .q8, .q4]

    /// Logits after each of `tokens` tokens one by one, behind a prompt.
    private func logits(
        _ language: Decoder, prompt: Int, tokens: Int, layerByLayer: Bool
    ) -> (results: [[Float]], passed: Int) {
        var passed = 0
        let results: [[Float]] = GradientRecording.disabled {
            let backend = language.embedding.value.backend
            let cache = KeyValueCache(
                sequences: 2, capacity: prompt + tokens, layers: language.configuration.layers)
            var results: [[Float]] = []
            var ids = (0..<prompt).map { Int32($0 * 37 % 300) }
            for step in 0...tokens {
                let start = step == 0 ? 0 : prompt + step - 1
                let segments = cache.extend([1], by: [ids.count], on: backend)
                let positions = RotaryPositions((start..<start + ids.count).map { Int32($0) }, on: backend)
                let context = AttentionContext(segments: segments, positions: positions, cache: cache)
                let x = language.embedded(ids, features: nil, rows: [])
                if !layerByLayer, step > 0, let token = language.singleTokens(x, context) {
                    let values = token.logits.floats
                    #expect(token.likeliest == [values.firstIndex(of: values.max()!)!])
                    results.append(values)
                    passed += 1
                } else {
                    results.append(Array(language.logits(language(x, context)).floats.suffix(300)))
                }
                ids = [Int32((step * 91 + 5) % 300)]
            }
            return results
        }
        return (results, passed)
    }

    private func expectEqual(
        _ storage: WeightStorage?, threads: Int, prompt: Int = 5, tokens: Int = 6,
        hasPass: Bool = true, _ change: (inout DecoderConfiguration) -> Void = { _ in }
    ) {
        let backend = CPUBackend(threads: threads, products: storage == nil ? .float32 : .bfloat16)
        let model = VisionLanguageModel(smallDecoder(change), Initializer(backend: backend, seed: 3))
        if let storage { model.store(storage) }
        let (together, passed) = logits(model.language, prompt: prompt, tokens: tokens, layerByLayer: false)
        let (apart, _) = logits(model.language, prompt: prompt, tokens: tokens, layerByLayer: true)
        #expect(passed == (hasPass ? tokens : 0))
        #expect(together == apart, "\(storage?.rawValue ?? "float32"), \(threads) threads")
        #expect(together[1].contains { $0 != 0 } && together[1].allSatisfy(\.isFinite))
    }

    @Test("equal bits for every form of weights", arguments: storages, [1, 3])
    func forms(storage: WeightStorage?, threads: Int) { expectEqual(storage, threads: threads) }

    @Test("equal bits over several chunks of keys, with and without a window", arguments: [nil, 150, 7])
    func chunks(window: Int?) {
        expectEqual(.bfloat16, threads: 3, prompt: 300, tokens: 3) {
            $0.slidingWindow = window.map { SlidingWindow(tokens: $0, layers: [1, 2]) }
        }
    }

    @Test("equal bits with biases, other activations, and norms less one", arguments: storages)
    func variants(storage: WeightStorage?) {
        expectEqual(storage, threads: 2) {
            $0.hasQueryKeyValueBias = true
            $0.hasOutputBias = true
            $0.hasFeedForwardBias = true
        }
        expectEqual(storage, threads: 2) {
            $0.activation = .geluTanh
            $0.norm = .rootMeanSquarePlusOne
        }
    }

    /// Logits of `tokens` tokens of several sequences, behind prompts of unequal length.
    private func logits(
        _ language: Decoder, sequences: Int, prompt: Int, tokens: Int, layerByLayer: Bool
    ) -> (results: [[Float]], passed: Int) {
        var passed = 0
        let results: [[Float]] = GradientRecording.disabled {
            let backend = language.embedding.value.backend
            let lengths = (0..<sequences).map { prompt + $0 * 5 % 7 }
            let cache = KeyValueCache(
                sequences: sequences, capacity: prompt + 7 + tokens, layers: language.configuration.layers)
            var results: [[Float]] = []
            for step in 0...tokens {
                let counts = step == 0 ? lengths : lengths.map { _ in 1 }
                let positions = lengths.flatMap { step == 0 ? Array(0..<$0) : [$0 + step - 1] }
                let ids = positions.enumerated().map { Int32(($0 * 37 + $1 * 91 + step) % 300) }
                let context = AttentionContext(
                    segments: cache.extend(Array(0..<sequences), by: counts, on: backend),
                    positions: RotaryPositions(positions.map { Int32($0) }, on: backend), cache: cache)
                let x = language.embedded(ids, features: nil, rows: [])
                if !layerByLayer, step > 0, let rows = language.singleTokens(x, context) {
                    let values = rows.logits.floats
                    for (row, likeliest) in rows.likeliest.enumerated() {
                        let own = Array(values[row * 300..<(row + 1) * 300])
                        #expect(likeliest == own.firstIndex(of: own.max()!))
                    }
                    results.append(values)
                    passed += 1
                } else {
                    let all = language.logits(language(x, context)).floats
                    if step > 0 { results.append(all) }
                }
            }
            return results
        }
        return (results, passed)
    }

    @Test(
        "tokens of several sequences: equal bits, with windows, biases and off the vectors",
        arguments: [2, 3, 5, 16], [1, 3])
    func sequences(count: Int, threads: Int) {
        let changes: [(inout DecoderConfiguration) -> Void] = [
            { _ in },
            {
                $0.slidingWindow = SlidingWindow(tokens: 9, layers: [1])
                $0.hasQueryKeyValueBias = true
                $0.hasOutputBias = true
                $0.hasFeedForwardBias = true
            },
            {
                $0.hiddenSize = 20
                $0.headWidth = 12
                $0.attentionHeads = 2
                $0.keyValueHeads = 1
                $0.intermediateSize = 44
            },
        ]
        for (index, change) in changes.enumerated() {
            let backend = CPUBackend(threads: threads, products: .bfloat16)
            let model = VisionLanguageModel(smallDecoder(change), Initializer(backend: backend, seed: 3))
            model.store(.bfloat16)
            // Several chunks of keys in one of the cases.
            let prompt = index == 0 && count == 3 ? 140 : 6
            let (together, passed) = logits(
                model.language, sequences: count, prompt: prompt, tokens: 4, layerByLayer: false)
            let (apart, _) = logits(model.language, sequences: count, prompt: prompt, tokens: 4, layerByLayer: true)
            #expect(passed == (count >= 3 && backend.instructionSet == "avx512-bf16" ? 4 : 0))
            #expect(together == apart, "case \(index)")
            #expect(together[1].contains { $0 != 0 } && together[1].allSatisfy(\.isFinite))
        }
    }

    @Test("low-rank products beside the maps count in both ways", arguments: [nil, WeightStorage.bfloat16])
    func adapters(storage: WeightStorage?) throws {
        let backend = CPUBackend(threads: 2, products: storage == nil ? .float32 : .bfloat16)
        let model = VisionLanguageModel(smallDecoder(), Initializer(backend: backend, seed: 3))
        if let storage { model.store(storage) }
        let plain = logits(model.language, prompt: 5, tokens: 3, layerByLayer: false).results
        let rule = TuningRule(selector: "language", method: LoRA(rank: 4))
        let tuning = try Tuning([rule], tree: model.parameters, seed: 0, digest: "")
        for entry in tuning.added.entries { backend.fill(entry.parameter.value, 0.02) }
        let together = logits(model.language, prompt: 5, tokens: 3, layerByLayer: false).results
        let apart = logits(model.language, prompt: 5, tokens: 3, layerByLayer: true).results
        #expect(together == apart)
        #expect(together[2] != plain[2], "the adapter's part is there for single tokens too")
    }

    @Test("widths off the vectors, and blocks that have no such way")
    func others() {
        // Rows of 20, 24 and 44 terms; 88 columns of queries, keys and values.
        expectEqual(nil, threads: 3) {
            $0.hiddenSize = 20
            $0.headWidth = 12
            $0.attentionHeads = 2
            $0.keyValueHeads = 1
            $0.intermediateSize = 44
        }
        expectEqual(.bfloat16, threads: 3) {
            $0.hiddenSize = 20
            $0.headWidth = 12
            $0.attentionHeads = 2
            $0.keyValueHeads = 1
            $0.intermediateSize = 44
        }
        expectEqual(.bfloat16, threads: 2, hasPass: false) { $0.hasQueryKeyNorm = true }
        expectEqual(.q8, threads: 2, hasPass: false) { $0.norm = .layer }
    }
}
