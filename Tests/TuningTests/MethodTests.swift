import Basics
import Checkpointing
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import Tuning
import VisionLanguage

private let allMethods: [any TuningMethod] = {
    var rank = LoRA(rank: 4)
    rank.dropout = 0.1
    rank.rateRatio = 4
    var stabilized = LoRA(rank: 4)
    stabilized.isRankStabilized = true
    stabilized.targets = ["q_proj", "value"]
    var decomposed = LoRA(rank: 2)
    decomposed.isWeightDecomposed = true
    var principal = LoRA(rank: 4)
    principal.initialization = "pissa"
    return [
        rank, stabilized, decomposed, principal, IA3(), BitFit(), BitFit(norms: true), NormTuning(),
        BottleneckAdapters(size: 6), BottleneckAdapters(size: 6, pfeiffer: true), PromptTuning(tokens: 3),
        PTuning(tokens: 3, hidden: 16), PrefixTuning(tokens: 3), FullTuning(), PartialLayers(.top(1)),
        PartialLayers(.every(2)), PartialLayers(.sampled(1, interval: 3)), QLoRA(LoRA(rank: 4)),
        QLoRA(LoRA(rank: 4), base: "fp4", isDouble: false),
        QLoRA(LoRA(rank: 4), base: "int8", isDouble: false), VeRA(rank: 16), IntrinsicDimension(dimensions: 200),
        IntrinsicDimension(dimensions: 200, isStructureAware: false),
    ]
}()

/// Every method trains: the loss falls, what is frozen keeps its bits, the file brings the same result back.
@Suite("Tuning methods")
struct MethodTests {
    @Test(arguments: allMethods.indices)
    func trainsAndReadsBack(index: Int) throws {
        let method = allMethods[index]
        let decoder = TinyDecoder.random(on: TestBackend.cpu.make())
        let tree = decoder.model.parameters
        let before = tree.entries.map(\.parameter.value.floats)
        let tuning = try Tuning([TuningRule(selector: "language", method: method)], tree: tree, seed: 5)
        tuning.settle()
        let isQuantized = tree.entries.contains { $0.parameter.source != nil }
        #expect(isQuantized == (method is QLoRA))
        let weak = method is PrefixTuning || method is VeRA || method is IntrinsicDimension
        // Keys and values of deviation 0.02 move a decoder with random weights little at first.
        let losses = train(decoder.model, tuning, steps: 40, rate: weak ? 0.1 : 0.01)
        #expect(losses.last! < 0.97 * losses[0], "\(method.name): \(losses[0]) → \(losses.last!)")
        let changed = Set(tuning.changed.entries.map(\.path))
        for (entry, old) in zip(tree.entries, before)
        where !changed.contains(entry.path) && entry.parameter.source == nil {
            expectClose(entry.parameter.value.floats, old, .exact, "\(method.name) froze \(entry.path)")
        }
        #expect(!tuning.added.entries.isEmpty || !changed.isEmpty)

        // A fresh base with the file computes the same; so does a merged one, where that is possible.
        let logits = logits(decoder.model)
        try withTemporaryFolder { folder in
            try AdapterFolder.write(tuning, tree: tree, table: decoder.table, base: "tiny", to: folder)
            let fresh = TinyDecoder.random(on: TestBackend.cpu.make())
            let again = try AdapterFile(folder).attach(
                to: fresh.model.parameters, table: fresh.table, keepsBase: true)
            expectClose(self.logits(fresh.model), logits, .forward, "\(method.name) read back")
            let other = TinyDecoder.random(seed: 4, on: TestBackend.cpu.make())
            #expect(throws: UserError.self) {
                _ = try AdapterFile(folder).attach(to: other.model.parameters, table: other.table)
            }
            // The base as it was, ready for another adapter.
            again.detach()
            for (entry, old) in zip(fresh.model.parameters.entries, before) {
                expectClose(entry.parameter.value.floats, old, .exact, "\(method.name) left \(entry.path)")
            }
        }
        if tuning.mergeObstacle == nil {
            try tuning.merge()
            expectClose(self.logits(decoder.model), logits, .forward, "\(method.name) merged")
        } else {
            #expect(throws: UserError.self) { try tuning.merge() }
            tuning.detach()
            for (entry, old) in zip(tree.entries, before) {
                expectClose(entry.parameter.value.floats, old, .exact, "\(method.name) detached \(entry.path)")
            }
        }
    }

    @Test func prefixAndPromptGenerateAsTheyTrain() throws {
        for method in [PrefixTuning(tokens: 3), PromptTuning(tokens: 3)] as [any TuningMethod] {
            let decoder = TinyDecoder.random(on: TestBackend.cpu.make())
            let tuning = try Tuning(
                [TuningRule(selector: "language", method: method)], tree: decoder.model.parameters, seed: 5)
            _ = train(decoder.model, tuning, steps: 20)
            let prompt: [Int32] = [1, 5, 9]
            let other: [Int32] = [1, 30]
            let answers = Generator(decoder.model).generate(
                [Prompt(ids: prompt, pictures: []), Prompt(ids: other, pictures: [])],
                GenerationSettings(maximumNewTokens: 6))
            for (start, answer) in zip([prompt, other], answers) {
                var ids = start
                for _ in 0..<6 {
                    let batch = PackedBatch(
                        ids: ids, labels: ids.map { _ in -1 }, offsets: [0, Int32(ids.count)], pictures: [])
                    let scores = logits(decoder.model, batch).suffix(40)
                    ids.append(Int32(scores.enumerated().max { $0.element < $1.element }!.offset))
                }
                #expect(Array(ids.dropFirst(start.count)) == answer.ids, "\(method.name)")
            }
        }
    }

    @Test func methodsThatDoNotFitSayWhatDoes() throws {
        let decoder = TinyDecoder.random(on: TestBackend.cpu.make())
        let tree = decoder.model.parameters
        func problem(_ selector: String, _ method: any TuningMethod) throws -> String {
            let error = try #require(throws: (any Error).self) {
                _ = try Tuning([TuningRule(selector: selector, method: method)], tree: tree, seed: 1)
            }
            let problem = try #require(error as? any Problem)
            return problem.problem + " / " + (problem.fix ?? "")
        }
        #expect(try problem("languag", LoRA()).contains("write \"language\""))
        #expect(try problem("language.norm", BitFit()).contains("norms: true"))
        #expect(try problem("language.layers.0", PromptTuning(tokens: 2)).contains("under language:"))
        #expect(try problem("language.embedding", BottleneckAdapters()).contains("no linear map"))
        var wrong = LoRA()
        wrong.targets = ["querry"]
        #expect(try problem("language", wrong).contains("write \"query\""))
        #expect(try problem("language", LoRA(rank: 1_000)).contains("rank of at most"))
        var unused = LoRA(rank: 2)
        unused.rankPattern = [("quer", 4)]
        #expect(try problem("language", unused).contains("write \"query\""))
        // A failed attachment leaves nothing behind.
        #expect(tree.sites.allSatisfy { ($0.site as? Linear)?.adapter == nil })
    }

    /// Two methods that would write the same tensors of a checkpoint are refused, wherever they overlap.
    @Test func methodsWithTheSameNamesAreRefused() throws {
        var decomposed = LoRA(rank: 2)
        decomposed.isWeightDecomposed = true
        let clashes: [(first: any TuningMethod, second: any TuningMethod, selector: String, words: String)] = [
            (LoRA(rank: 2), LoRA(rank: 2), "language", "two methods lora add language.layers.0."),
            (LoRA(rank: 2), QLoRA(LoRA(rank: 4)), "language", "lora and qlora both add language.layers.0."),
            (LoRA(rank: 2), decomposed, "language.layers.1", "two methods lora add language.layers.1."),
            (IA3(), IA3(), "language", "two methods ia3 add"),
            (BottleneckAdapters(size: 4), BottleneckAdapters(size: 4), "language", "two methods bottleneck add"),
        ]
        for clash in clashes {
            let tree = TinyDecoder.random(on: TestBackend.cpu.make()).model.parameters
            let rules = [
                TuningRule(selector: "language", method: clash.first),
                TuningRule(selector: clash.selector, method: clash.second),
            ]
            let error = try #require(throws: UserError.self) { _ = try Tuning(rules, tree: tree, seed: 1) }
            #expect(error.problem.contains(clash.words), "\(error.problem)")
            #expect(tree.sites.allSatisfy { ($0.site as? Linear)?.adapter == nil })
        }
        let tree = TinyDecoder.random(on: TestBackend.cpu.make()).model.parameters
        let apart = ["language.layers.0", "language.layers.1"].map {
            TuningRule(selector: $0, method: LoRA(rank: 2))
        }
        #expect(try Tuning(apart, tree: tree, seed: 1).added.entries.count == 28)
    }

    /// Patterns name maps as targets do: by their own names and Hugging Face's, and by the part that they stand in.
    @Test func ranksByPattern() throws {
        for (pattern, count) in [
            ("query", 2), ("q_proj", 2), ("layers.0.attention.query", 1), ("language.layers.0", 7),
        ] {
            let tree = TinyDecoder.random(on: TestBackend.cpu.make()).model.parameters
            var method = LoRA(rank: 2)
            method.rankPattern = [(pattern, 5)]
            let tuning = try Tuning([TuningRule(selector: "language", method: method)], tree: tree, seed: 5)
            let ranks = tuning.added.entries.map { $0.parameter.shape[0] }.filter { $0 == 5 || $0 == 2 }
            #expect(ranks.count == 14 && ranks.filter { $0 == 5 }.count == count, "\(pattern): \(ranks)")
        }
    }

    @Test func methodsCombine() throws {
        let decoder = TinyDecoder.random(on: TestBackend.cpu.make())
        let tree = decoder.model.parameters
        let tuning = try Tuning(
            [
                TuningRule(selector: "language", method: LoRA(rank: 2)),
                TuningRule(selector: "language", method: IA3()),
                TuningRule(selector: "language.layers.0", method: NormTuning()),
            ], tree: tree, seed: 5)
        let losses = train(decoder.model, tuning, steps: 30)
        #expect(losses.last! < losses[0])
        let expected = logits(decoder.model)
        try withTemporaryFolder { folder in
            try AdapterFolder.write(tuning, tree: tree, table: decoder.table, base: "tiny", to: folder)
            let fresh = TinyDecoder.random(on: TestBackend.cpu.make())
            _ = try AdapterFile(folder).attach(to: fresh.model.parameters, table: fresh.table)
            expectClose(logits(fresh.model), expected, .forward, "read back")
        }
        try tuning.merge()
        expectClose(logits(decoder.model), expected, .forward, "merged")
    }

    @Test func principalPartStartsAtTheBase() throws {
        let decoder = TinyDecoder.random(on: TestBackend.cpu.make())
        let base = logits(decoder.model)
        var method = LoRA(rank: 4)
        method.initialization = "pissa"
        let tuning = try Tuning(
            [TuningRule(selector: "language", method: method)], tree: decoder.model.parameters, seed: 5)
        expectClose(logits(decoder.model), base, .forward, "unchanged at the start")
        // B A is the best approximation of rank 4: what is left has the singular values after the fourth.
        let a = tuning.added["language.layers.0.attention.query.lora_A.weight"]!.value.floats
        let b = tuning.added["language.layers.0.attention.query.lora_B.weight"]!.value.floats
        let weight = decoder.model.parameters["language.layers.0.attention.query.weight"]!.value.floats
        var rest = 0.0
        var whole = 0.0
        for row in 0..<32 {
            for column in 0..<32 {
                let product = (0..<4).reduce(0.0) { $0 + Double(b[row * 4 + $1]) * Double(a[$1 * 32 + column]) }
                let value = Double(weight[row * 32 + column])
                whole += value * value
                rest += (value - 2 * product) * (value - 2 * product)
            }
        }
        #expect(rest < 0.75 * whole, "\(rest) of \(whole)")
        for rank in 0..<4 {
            // Left and right vectors carry equal shares of each singular value.
            let left = (0..<32).reduce(0.0) { $0 + Double(b[$1 * 4 + rank] * b[$1 * 4 + rank]) }
            let right = (0..<32).reduce(0.0) { $0 + Double(a[rank * 32 + $1] * a[rank * 32 + $1]) }
            #expect(abs(left - right) < 1e-4 * left)
        }
    }

    private func train(_ model: VisionLanguageModel, _ tuning: Tuning, steps: Int, rate: Double = 0.01) -> [Double] {
        let trained = ParameterTree(tuning.changed.entries + tuning.added.entries)
        let gradients = GradientBuffer(trained.entries.map(\.parameter))
        let optimizer = AdamW([trained])
        let batch = TinyDecoder.sequences
        return (0..<steps).map { step in
            gradients.clear()
            tuning.begin(step: step)
            let loss = model.loss(batch)
            loss.backward()
            tuning.end()
            optimizer.step(
                [GroupRate(learningRate: rate, weightDecay: 0)], gradientScale: 1 / Double(batch.supervisedCount))
            return Double(loss.scalar) / Double(batch.supervisedCount)
        }
    }

    private func logits(_ model: VisionLanguageModel, _ batch: PackedBatch = TinyDecoder.sequences) -> [Float] {
        GradientRecording.disabled { model.language.logits(model.hiddenStates(batch)).floats }
    }
}

/// Gradients of the operations that methods bring.
@Suite("Tuning operations")
struct TuningOperationTests {
    @Test(arguments: TestBackend.allCases)
    func lowRankProduct(backend: TestBackend) {
        expectGradients(
            of: [
                CheckedInput("y", [5, 9]), CheckedInput("x", [5, 7]), CheckedInput("a", [3, 7]),
                CheckedInput("b", [4, 3]),
            ],
            on: backend.make(), "low rank"
        ) { inputs in
            var y = scaled(inputs[0], by: 1)
            addLowRank(
                to: &y,
                LowRankGroup(inputs[1], [LowRankProduct(a: inputs[2], b: inputs[3], columns: 2..<6, scale: 0.5)]))
            return y
        }
    }

    @Test(arguments: TestBackend.allCases)
    func prefixAttention(backend: TestBackend) {
        let heads = HeadLayout(queryHeads: 4, keyValueHeads: 2, width: 4)
        expectGradients(
            of: [CheckedInput("qkv", [7, 32]), CheckedInput("prefix", [3, 16])], on: backend.make(), "prefix attention"
        ) { inputs in
            attention(
                inputs[0], prefix: inputs[1], heads: heads,
                segments: AttentionSegments(offsets: [0, 4, 7], isCausal: true))
        }
    }
}
