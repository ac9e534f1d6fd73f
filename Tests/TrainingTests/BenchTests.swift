import Basics
import CPUBackend
import TensorCore
import Testing
import Training
import VisionLanguage

/// The benchmarks run, and what they say adds up.
@Suite("Benchmarks") struct BenchTests {
    @Test func aStepHasAFloorBelowItsTime() throws {
        let benchmark = StepBenchmark(.tiny, batch: 2, textTokens: 8, scope: .full, on: CPUBackend(threads: 2))
        benchmark.warmUp(steps: 1)
        let result = benchmark.run(steps: 2, withFloor: true)
        #expect(result.tokens == 2 * (64 + 8))
        #expect(result.loss > 3 && result.loss < 8, "ln 1024 is 6.93, before some steps on the same batch")
        let kinds = result.profile.map(\.name)
        for kind in ["products", "attention", "norms", "optimizer", "losses", "host"] { #expect(kinds.contains(kind)) }
        // Forward: 2 · weights · rows; the gradients of inputs and weights take as much again each.
        let forward = 2 * Double(TinyWeights.tower * 128 + TinyWeights.decoder * 144)
        #expect(result.productOperations > 2.8 * forward && result.productOperations < 3.3 * forward)
        let floor = try #require(result.floor)
        #expect(floor.seconds == result.seconds && floor.floors.count == 2 && floor.floors.allSatisfy { $0 > 0 })
    }

    /// LoRA's own products belong to the floor: forward A and B, backward dB and dh, dA and dx, of 144 rows each.
    @Test func lowRankProductsAreOperationsToo() throws {
        let results = try ["lora", "ia3"].map { method in
            let benchmark = try StepBenchmark(
                .tiny, batch: 2, textTokens: 8, method: method, part: "language", on: CPUBackend(threads: 2))
            return benchmark.run(steps: 1, withFloor: true)
        }
        let added = results[0].productOperations - results[1].productOperations
        let all = 6 * 144 * Double(results[0].trainable)
        // Nothing below the first block's queries, keys and values wants their input's gradient.
        #expect(added > 0.95 * all && added < all, "\(added / all)")
    }

    @Test func aTimeIsHeldAgainstTheFloorsBesideIt() {
        let turns = FloorTurns([6, 9, 40], around: [1, 3, 3, 37])
        #expect(turns.floors == [2, 3, 20])
        #expect(turns.overFloors == [3, 3, 2])
        #expect(turns.overFloor == 3 && turns.floorSeconds == 3)
        var order = ""
        let measured = FloorTurns(
            turns: 2,
            floor: {
                order += "f"
                return 1
            },
            work: {
                order += "w"
                return 2
            })
        #expect(order == "fwfwf")
        #expect(measured.seconds == [2, 2] && measured.overFloor == 2)
    }

    /// What a fixed small step takes from the pool of blocks. Growing is a slow-down on every machine: if it is meant, raise the numbers.
    @Test func aStepTakesAsManyBlocksAsItDid() {
        let backend = CPUBackend(threads: 2)
        let benchmark = StepBenchmark(.tiny, batch: 2, textTokens: 8, scope: .full, on: backend)
        benchmark.warmUp()
        let before = backend.allocations
        backend.resetPeakBytes()
        _ = benchmark.run(steps: 4)
        let after = backend.allocations
        #expect(after.fresh == before.fresh, "a step like the one before asks the system for nothing")
        #expect(
            (after.requests - before.requests) / 4 <= 410,
            "397: gradients live for a step only, and what is cheap is made twice")
        #expect(backend.peakBytes <= 60_000_000, "56 MB when this was written")
    }

    @Test(arguments: [nil, WeightStorage.bfloat16, .q8, .q4])
    func decodingReadsTheWeightsOfItsForm(_ storage: WeightStorage?) {
        let backend = CPUBackend(threads: 2, products: storage == nil ? .float32 : .bfloat16)
        let benchmark = DecodeBenchmark(
            .tiny, batch: 2, textTokens: 5, hasPicture: true, storage: storage, on: backend)
        benchmark.warmUp(tokens: 4)
        var probes = 0
        let result = benchmark.run(tokens: 4, repeats: 2) {
            probes += 1
            return 1e9
        }
        let blocks = Double(TinyWeights.decoder)
        let (embedding, wide) = (Double(1_024 * 192), Double(6 * 192 * 512))
        let norms = Double(13 * 192 * 4)
        let cachedTokens = 2 * (64 + 5) + 2 * 4 / 2
        let cache = Double(cachedTokens * 2 * 64 * 6 * backend.factorType.byteCount(of: 1))
        let weights: Double
        switch storage {
        case nil: weights = 4 * (blocks + embedding)
        case .bfloat16: weights = 2 * (blocks + embedding)
        // A scale for 192 weights, or for 256 where rows have 512.
        case .q8: weights = (1 + 2.0 / 192) * (blocks - wide + embedding) + (1 + 2.0 / 256) * wide
        case .q4: weights = 0.5625 * blocks + (1 + 2.0 / 192) * embedding
        }
        #expect(result.bytesPerStep == weights + norms + cache)
        #expect(result.promptTokens == 138)
        #expect(probes == 3 && result.stepFloor.floors == [Double](repeating: result.bytesPerStep / 1e9, count: 2))
        // Of the last block, and of the head, a prompt needs the last token only.
        let prompt = 2 * Double(TinyWeights.tower * 128 + TinyWeights.decoder * 138)
        #expect(result.promptOperations > 0.8 * prompt && result.promptOperations < 1.1 * prompt)
        #expect(result.promptFloor.seconds.count == 2 && result.promptFloor.floors.allSatisfy { $0 > 0 })
        #expect(result.stepSeconds > 0 && result.promptSeconds > 0)
        #expect(benchmark.profile(tokens: 3).contains { $0.name == "products" && $0.calls > 20 })
    }

    @Test func limitsAreFloors() {
        let limits = MachineLimits(of: CPUBackend(threads: 2))
        #expect(limits.readBandwidth > 1e8)
        for precision in ProductPrecision.allCases {
            #expect((limits.productRates[precision] ?? 0) > 1e8)
            let floor = limits.floor(operations: 1e9, bytes: 8, precision: precision)
            #expect(floor == 1e9 / limits.productRates[precision]!)
        }
        #expect(limits.floor(operations: 0, bytes: 1e9) == 1e9 / limits.readBandwidth)
        #expect(limits.registerRates.values.allSatisfy { $0 > 1e6 })
    }

    @Test func memoryIsProbed() {
        let probe = MemoryProbe(of: CPUBackend(threads: 2))
        // No machine of today reads a terabyte a second on two threads; other work may halt this one for seconds.
        for _ in 0..<2 { #expect((1e6...1e12).contains(probe.bandwidth(sweeps: 1))) }
    }

    @Test func towersAreTimed() {
        let result = TowerBenchmark(.tiny, batch: 2, storage: nil, on: CPUBackend(threads: 2)).run(passes: 1)
        #expect(result.seconds > 0 && result.floor.overFloor > 0)
        #expect(result.productOperations > 2 * Double(TinyWeights.tower * 128))
    }
}

/// Weights of the `tiny` shape's blocks, counted by hand.
private enum TinyWeights {
    static let tower = 4 * (4 * 128 * 128 + 2 * 128 * 512)
    static let decoder = 6 * (192 * (192 + 128) + 192 * 192 + 3 * 192 * 512)
}
