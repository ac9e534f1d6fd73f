import Basics
import NeuralNetwork
import TestSupport
import Testing

@Suite struct ScheduleTests {
    /// Warmup of 2 of 6 steps to a peak of 1, as `transformers` gives it.
    @Test(arguments: [
        (Schedule.Decay.cosine, [0, 0.5, 1, 0.853_553_390_593_273_8, 0.5, 0.146_446_609_406_726_2]),
        (.linear, [0, 0.5, 1, 0.75, 0.5, 0.25]),
        (.constant, [0, 0.5, 1, 1, 1, 1]),
    ])
    func rates(_ decay: Schedule.Decay, _ expected: [Double]) {
        let schedule = Schedule(peak: 1, warmup: 2.0 / 6, totalSteps: 6, decay: decay)
        #expect(schedule.warmupSteps == 2)
        for (step, rate) in expected.enumerated() {
            #expect((schedule.rate(at: step) - rate).magnitude <= 1e-12, "step \(step)")
        }
    }

    /// A warmup share becomes a whole number of steps, rounded up, as in the Hugging Face Trainer.
    @Test func warmupRoundsUp() {
        #expect(Schedule(peak: 1, warmup: 0.03, totalSteps: 40, decay: .cosine).warmupSteps == 2)
        #expect(Schedule(peak: 1, warmup: 0, totalSteps: 40, decay: .cosine).rate(at: 0) == 1)
    }

    @Test func theFloorIsWhereTheFallEnds() {
        let schedule = Schedule(peak: 2, warmup: 0, totalSteps: 10, decay: .cosine, floor: 0.1)
        #expect((schedule.rate(at: 10) - 0.2).magnitude <= 1e-12)
        #expect((schedule.rate(at: 1000) - 0.2).magnitude <= 1e-12)
    }

    private static let golden = Fixtures.golden(holding: "lr_schedules.json").map {
        Paths.join($0, "lr_schedules.json")
    }

    @Test(.enabled(if: !golden.isEmpty, "no shared fixtures"), arguments: golden)
    func transformersSchedules(_ path: String) throws {
        let file = try JSON.read(path)
        let peak = try #require(file["peak_lr"]?.double), total = try #require(file["total_steps"]?.int)
        let warmup = try #require(file["warmup_steps"]?.double)
        let schedules = try #require(file["lr"]?.object)
        for (name, rates) in schedules {
            let decay = try #require(Schedule.Decay.allCases.first { name.hasPrefix($0.rawValue) }, "schedule \(name)")
            let schedule = Schedule(
                peak: peak, warmup: name.contains("no_warmup") ? 0 : warmup / Double(total), totalSteps: total,
                decay: decay)
            for (step, rate) in try #require(rates.array).enumerated() {
                let expected = try #require(rate.double)
                #expect((schedule.rate(at: step) - expected).magnitude <= 1e-12 * peak, "\(name), step \(step)")
            }
        }
    }
}
