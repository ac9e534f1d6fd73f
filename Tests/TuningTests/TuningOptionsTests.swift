import Basics
import Testing
import Tuning

/// Options of methods as adapters' files have them.
@Suite("Options in adapter files")
struct TuningOptionsTests {
    /// A value that cannot be is told, rather than taken as absent: another rank would be another adapter.
    @Test(arguments: [JSON.integer(.max), .integer(0), .integer(-3), .number(1.5), .string("8"), .array([])])
    func impossibleRanksAreFaults(rank: JSON) {
        let options = JSONOptions(["rank": rank])
        #expect(options.int("rank", minimum: 1) == nil)
        #expect(options.faults == ["\"rank\" cannot be \(rank.serialized())"])
    }

    @Test func whatIsThereIsReadAndWhatIsNotIsNoFault() {
        let options = JSONOptions([
            "rank": 8, "share": 0.5, "dora": true, "targets": ["query", "value"], "one": "query", "nothing": .null,
            "rank_pattern": ["layers.0": 4],
        ])
        #expect(options.int("rank", minimum: 1) == 8)
        #expect(options.double("share", minimum: 0, maximum: 1) == 0.5)
        #expect(options.bool("dora") == true)
        #expect(options.strings("targets") == ["query", "value"] && options.strings("one") == ["query"])
        #expect(options.numbers("rank_pattern").map(\.pattern) == ["layers.0"])
        #expect(options.int("nothing", minimum: 0) == nil && options.string("absent") == nil)
        #expect(options.faults.isEmpty)
        #expect(options.double("share", minimum: 0.6, maximum: 1) == nil && options.faults.count == 1)
    }

    @Test(arguments: [Double.infinity, -.infinity, .nan]) func whatIsNoNumberIsAFault(value: Double) {
        let number = JSON.number(value)
        for key in ["alpha", "rate_ratio", "dropout"] {
            let options = JSONOptions([key: number])
            let method = LoRA(options)
            #expect(options.faults.count == 1 && options.faults[0].contains("\"\(key)\""))
            #expect(method.alpha.isFinite && method.rateRatio.isFinite && method.dropout == 0)
        }
        for key in ["alpha_pattern", "rank_pattern"] {
            let options = JSONOptions([key: ["query": number]])
            _ = LoRA(options)
            #expect(options.faults.count == 1 && options.faults[0].contains("\"query\""), "\(options.faults)")
        }
        let options = JSONOptions(["d_initial": number])
        #expect(VeRA(options).json["d_initial"]?.double == 0.1 && options.faults.count == 1)
    }

    /// A model multiplied by such a number says nothing.
    @Test(arguments: [1e300, 1e19, 1_000_001]) func impossibleScalesAreFaults(value: Double) {
        for options in [
            JSONOptions(["alpha": .number(value)]), JSONOptions(["alpha_pattern": ["query": .number(value)]]),
            JSONOptions(["alpha_pattern": ["query": .number(-value)]]),
        ] {
            _ = LoRA(options)
            #expect(options.faults.count == 1, "\(options.faults)")
        }
        let most = JSONOptions(["alpha": 1_000_000])
        #expect(LoRA(most).alpha == 1_000_000 && most.faults.isEmpty)
    }

    /// Matrices of two such extents would have more elements than can be counted.
    @Test func impossibleExtentsAreFaults() {
        func faults(_ method: any TuningMethod.Type, _ key: String, _ value: Int) -> [String] {
            let options = JSONOptions([key: .int(value), "instructions": ["Name it."]])
            _ = method.init(options)
            return options.faults
        }
        let extents: [(any TuningMethod.Type, String)] = [
            (LoRA.self, "rank"), (VeRA.self, "rank"), (Hypernetwork.self, "rank"), (Hypernetwork.self, "hidden"),
            (PTuning.self, "hidden"), (PTuning.self, "tokens"), (BottleneckAdapters.self, "size"),
        ]
        for (method, key) in extents {
            #expect(faults(method, key, 65_536) == [])
            #expect(faults(method, key, 65_537) == ["65537 is more than 65536"], "\(method.name) \(key)")
        }
    }

    /// What cannot be a rank is told before anything is made of it.
    @Test(arguments: [JSON.number(1e300), .number(2.5), .integer(0), .integer(-4), .integer(1 << 20)])
    func impossibleRanksByPatternAreFaults(rank: JSON) {
        let options = JSONOptions(["rank": 4, "rank_pattern": .object(["query": rank, "value": 6])])
        let method = LoRA(options)
        #expect(options.faults.count == 1 && options.faults[0].contains("\"query\""))
        #expect(method.rankPattern.contains { $0.pattern == "value" && $0.value == 6 })
    }
}
