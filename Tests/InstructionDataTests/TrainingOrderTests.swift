import Basics
import InstructionData
import TestSupport
import Testing
import Tokenization

/// Orders of training: each sample exactly once an epoch, and any position reachable at once.
@Suite struct TrainingOrderTests {
    @Test(arguments: [1, 2, 3, 10, 97, 1000], [UInt64(0), 17])
    func eachRecordComesExactlyOnceAnEpoch(count: Int, seed: UInt64) throws {
        let order = TrainingOrder(try Mixture([.init(name: "a", count: count)]), seed: seed)
        #expect(order.samplesPerEpoch == count)
        for epoch in 0..<4 {
            #expect(order.epoch(epoch).map(\.record).sorted() == Array(0..<count))
            #expect(order.epoch(epoch).allSatisfy { $0.epoch == epoch })
        }
        if count >= 97 {
            #expect(order.epoch(0).map(\.record) != order.epoch(1).map(\.record))
            #expect(order.epoch(0).map(\.record) != Array(0..<count))
        }
    }

    @Test func everyPositionOfAFreshOrderEqualsTheRunsOwn() throws {
        let mixture = try Mixture([
            .init(name: "a", count: 11, weight: 1.5), .init(name: "b", count: 7),
            .init(name: "c", count: 20, weight: 0.3),
        ])
        let run = TrainingOrder(mixture, seed: 3)
        let straight = (0..<(run.samplesPerEpoch * 5)).map { run[$0] }
        for position in straight.indices {
            #expect(TrainingOrder(mixture, seed: 3)[position] == straight[position])
        }
        // Out of order too: the cache of epochs must not matter.
        for position in straight.indices.reversed() { #expect(run[position] == straight[position]) }
    }

    @Test func weightAboveOneRepeatsEvenly() throws {
        let order = TrainingOrder(try Mixture([.init(name: "a", count: 10, weight: 2.5)]), seed: 1)
        var total = [Int](repeating: 0, count: 10)
        for epoch in 0..<2 {
            var counts = [Int](repeating: 0, count: 10)
            for sample in order.epoch(epoch) { counts[sample.record] += 1 }
            #expect(counts.allSatisfy { $0 == 2 || $0 == 3 })
            for record in 0..<10 { total[record] += counts[record] }
        }
        #expect(total == [Int](repeating: 5, count: 10))
    }

    @Test func weightBelowOneShowsEachOnceOverItsEpochs() throws {
        let order = TrainingOrder(try Mixture([.init(name: "a", count: 100, weight: 0.25)]), seed: 1)
        #expect(order.samplesPerEpoch == 25)
        let shown = (0..<4).flatMap { order.epoch($0).map(\.record) }
        #expect(shown.sorted() == Array(0..<100))
        let later = (4..<8).flatMap { order.epoch($0).map(\.record) }
        #expect(later.sorted() == Array(0..<100) && later != shown)
    }

    @Test func unshuffledOrderIsTheFilesOwn() throws {
        let mixture = try Mixture([.init(name: "a", count: 3), .init(name: "b", count: 2)])
        let order = TrainingOrder(mixture, seed: 9, shuffles: false)
        #expect(order.epoch(1).map { [$0.component, $0.record] } == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1]])
    }

    @Test func proportionalMixingCapsLargeSets() throws {
        let mixture = try Mixture(
            [.init(name: "a", count: 5), .init(name: "b", count: 500)], rule: .proportional(cap: 30))
        #expect(mixture.quotas() == [5, 30])
        // The large set's records all have their turn, 30 at a time.
        let order = TrainingOrder(mixture, seed: 4)
        let shown = (0..<17).flatMap { order.epoch($0).filter { $0.component == 1 }.map(\.record) }
        #expect(Set(shown).count == 500)
    }

    @Test func weightsGoWithTheirRuleOnly() throws {
        let component = Mixture.Component(name: "a", count: 5, weight: 2)
        #expect(try Mixture([component]).quotas() == [10])
        for rule in [Mixture.Rule.proportional(cap: 3), .temperature(2)] {
            #expect(problem { _ = try Mixture([component], rule: rule) }?.problem.contains("a: weight 2.0") == true)
        }
    }

    @Test func temperatureFlattensShares() throws {
        let components: [Mixture.Component] = [.init(name: "a", count: 100), .init(name: "b", count: 900)]
        #expect(try Mixture(components, rule: .temperature(1, cap: nil)).quotas() == [100, 900])
        // 10 : 30 of 1000
        #expect(try Mixture(components, rule: .temperature(2, cap: nil)).quotas() == [250, 750])
        #expect(try Mixture(components, rule: .temperature(1e9, cap: nil)).quotas() == [500, 500])
        #expect(try Mixture(components, rule: .temperature(1, cap: 300)).quotas() == [100, 300])
        #expect(try Mixture(components, rule: .temperature(0.1, cap: nil)).quotas() == [0, 1_000])
    }

    @Test(arguments: [
        ("all", 0..<10), ("first:3", 0..<3), ("first:50%", 0..<5), ("last:3", 7..<10), ("last:20%", 8..<10),
        ("first:99", 0..<10), ("end:1", 9..<10), ("random:100%", 0..<10),
    ])
    func selectionPicksRecords(text: String, expected: Range<Int>) throws {
        let mixture = try Mixture([.init(name: "a", count: 10, selection: try Selection(text))])
        #expect(TrainingOrder(mixture, seed: 0).epoch(0).map(\.record).sorted() == Array(expected))
    }

    @Test func randomSelectionIsTheSameEachEpochAndDiffersBySeed() throws {
        let mixture = try Mixture([.init(name: "a", count: 1000, selection: .random(.percent(10)))])
        let sets = [1, 1, 2].map { Set(TrainingOrder(mixture, seed: $0).epoch(0).map(\.record)) }
        #expect(sets[0].count == 100 && sets[0] == sets[1] && sets[0] != sets[2])
        #expect(Set(TrainingOrder(mixture, seed: 1).epoch(5).map(\.record)) == sets[0])
    }

    @Test(arguments: [
        "", "firts:3", "first", "first:", "first:-1", "first:x", "random:101%", "random:nan%", "last:1.5",
    ])
    func selectionThatMakesNoSenseIsRefused(text: String) {
        let error = #expect(throws: UserError.self) { try Selection(text) }
        #expect(error?.fix?.contains("first:1000") == true)
    }

    @Test func mixtureThatMakesNoSenseIsRefused() {
        #expect(throws: UserError.self) { try Mixture([]) }
        #expect(throws: UserError.self) { try Mixture([.init(name: "a", count: 5, weight: -1)]) }
        #expect(throws: UserError.self) { try Mixture([.init(name: "a", count: 5, weight: .nan)]) }
        #expect(throws: UserError.self) { try Mixture([.init(name: "a", count: 5, weight: 0)]) }
        #expect(throws: UserError.self) { try Mixture([.init(name: "a", count: 5)], rule: .proportional(cap: 0)) }
        for temperature in [0, 1e-320, 0.01, -1, .nan, .infinity] {
            #expect(throws: UserError.self) {
                try Mixture([.init(name: "a", count: 5)], rule: .temperature(temperature, cap: nil))
            }
        }
        #expect(throws: UserError.self) { try Mixture([.init(name: "a", count: 5, selection: .first(.count(0)))]) }
    }

    private let fourQuestions = Conversation(
        [Turn(role: .system, content: "s")]
            + (1...4).flatMap {
                [
                    Turn(role: .user, content: ($0 == 1 ? "<image>\n" : "") + "q\($0)"),
                    Turn(role: .assistant, content: "a\($0)"),
                ]
            })

    @Test func shuffledTurnsKeepPairsSystemAndMarker() {
        let shuffler = TurnShuffler(seed: 5)
        var orders: Set<[String]> = []
        for epoch in 0..<30 {
            let index = SampleIndex(component: 0, record: 3, epoch: epoch)
            let turns = shuffler.arranged(fourQuestions, index: index).turns
            #expect(turns.count == 9 && turns[0].content == "s" && turns[1].content.hasPrefix("<image>\nq"))
            let questions = stride(from: 1, to: 9, by: 2).map { turns[$0].content.replacing("<image>\n", with: "") }
            let answers = stride(from: 2, to: 9, by: 2).map { turns[$0].content }
            #expect(questions.map { "a" + $0.dropFirst() } == answers)
            #expect(questions.sorted() == ["q1", "q2", "q3", "q4"])
            orders.insert(questions)
            #expect(shuffler.arranged(fourQuestions, index: index).turns == turns)
        }
        #expect(orders.count > 10)
    }

    @Test func limitShowsSomeOfTheQuestions() {
        let shuffler = TurnShuffler(seed: 5, limit: 2)
        var shown: Set<String> = []
        for epoch in 0..<20 {
            let turns = shuffler.arranged(fourQuestions, index: SampleIndex(component: 0, record: 0, epoch: epoch))
                .turns
            #expect(turns.count == 5)
            shown.formUnion(turns.filter { $0.role == .assistant }.map(\.content))
        }
        #expect(shown.count == 4)
    }

    @Test func conversationsWithInnerMarkersAreLeftAlone() {
        let turns = [
            Turn(role: .user, content: "<image>\nq1"), Turn(role: .assistant, content: "a1"),
            Turn(role: .user, content: "<image>\nq2"), Turn(role: .assistant, content: "a2"),
        ]
        let index = SampleIndex(component: 0, record: 0, epoch: 0)
        for seed in UInt64(0)..<8 {
            #expect(TurnShuffler(seed: seed).arranged(Conversation(turns), index: index).turns == turns)
        }
    }
}
