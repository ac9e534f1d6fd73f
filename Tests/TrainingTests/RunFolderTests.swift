import Basics
import CPUBackend
import InstructionData
import TestSupport
import Testing
import Training
import VisionLanguage

/// What stands in a run's folder, and who may write there.
@Suite("Run folder") struct RunFolderTests {
    /// Every file of a folder and what it holds.
    private func content(_ folder: String, _ path: String = "") throws -> [String: [UInt8]] {
        var all: [String: [UInt8]] = [:]
        for name in try Files.list(Paths.join(folder, path)) {
            let inner = path.isEmpty ? name : Paths.join(path, name)
            if Files.isDirectory(Paths.join(folder, inner)) {
                all.merge(try content(folder, inner)) { first, _ in first }
            } else {
                all[inner] = try Files.read(Paths.join(folder, inner), limit: .max)
            }
        }
        return all
    }

    /// A run that is under way is refused to everybody else, in each of its stages, and goes on as if nobody had come.
    @Test func aRunThatIsUnderWayIsRefused() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let recipe = try run.recipe(["stages.align.checkpoint_every=2", "stages.instruct.checkpoint_every=2"])
            let whole = try run.train(recipe, in: "whole")
            let first = try run.train(recipe, in: "run", stoppingAfter: 2)
            let place = RunFolder(Paths.join(folder, "run"))
            let point = try #require(try ResumePoint.find(in: place, recipe: recipe))
            let bundle = try point.model(for: recipe, on: CPUBackend(threads: 2))
            var rest: [Double] = []
            var refused = 0
            let trainer = Trainer(recipe, bundle: bundle, folder: place, workers: 1) { event in
                guard case .step(let report) = event else { return .proceed }
                rest.append(report.loss)
                guard rest.count % 3 == 0 else { return .proceed }
                let before = try? content(place.path)
                for resuming in [true, false] {
                    let error = problem { try run.train(recipe, in: "run", resuming: resuming) }
                    #expect(error?.problem.contains("another process is at work on this run") == true)
                    refused += error == nil ? 0 : 1
                }
                #expect(before != nil && (try? content(place.path)) == before)
                return .proceed
            }
            _ = try trainer.run(resuming: point)
            #expect(refused == 6)
            #expect(first + rest == whole)
            #expect(try run.weights("run") == run.weights("whole"))
            #expect(try Files.readText(place.metrics).split(separator: "\n").count == 12)
        }
    }

    /// A process that read its checkpoint while another went on with the run does not throw the other's steps away.
    @Test func aCheckpointThatIsNoLongerTheLastIsRefused() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let recipe = try run.recipe()
            try run.train(recipe, in: "run", stoppingAfter: 2)
            let place = RunFolder(Paths.join(folder, "run"))
            let point = try #require(try ResumePoint.find(in: place, recipe: recipe))
            let bundle = try point.model(for: recipe, on: CPUBackend(threads: 2))
            try run.train(recipe, in: "run", resuming: true, stoppingAfter: 2)
            let before = try content(place.path)
            let error = problem {
                _ = try Trainer(recipe, bundle: bundle, folder: place, workers: 1) { _ in .proceed }.run(
                    resuming: point)
            }
            #expect(error?.problem.contains("has gone on with this run meanwhile") == true)
            #expect(try content(place.path) == before)
        }
    }

    // MARK: Records left out

    private func rejections(_ folder: String, _ name: String) throws -> [JSON] {
        let path = Paths.join(folder, name, "rejections.jsonl")
        guard Files.exists(path) else { return [] }
        return try Files.readText(path).split(separator: "\n").map { try JSON.parse(String($0)) }
    }

    /// The first of a file's records, with a picture that is none in each of those named.
    private func breaking(_ broken: Set<Int>, of count: Int, _ folder: String, to name: String) throws -> String {
        let records = Paths.join(folder, "shapes/train/records.jsonl")
        let lines = try Files.readText(records).split(separator: "\n").prefix(count).enumerated().map { index, line in
            guard broken.contains(index), var record = try JSON.parse(String(line)).object else { return String(line) }
            record["image"] = "none.png"
            return JSON.object(record).serialized()
        }
        let path = Paths.join(folder, "shapes/train", name)
        try Files.write(lines.joined(separator: "\n") + "\n", to: path)
        return path
    }

    /// Broken records among those that a stage is measured on are told as such and are no fault of the training's, whose limit is not
    /// theirs, resumed or not.
    @Test func brokenRecordsOfAnEvaluationAreCountedByThemselves() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let data = try breaking([1, 7, 20], of: 24, folder, to: "broken.jsonl")
            let held = try breaking([0, 2, 5], of: 8, folder, to: "held.jsonl")
            let recipe = try run.recipe(
                [
                    "stages.instruct.data=[\(data)]", "stages.instruct.error_limit=5", "stages.instruct.steps=4",
                    "stages.instruct.evaluate={data: \(held), every: 1}",
                ], stages: ["instruct"])
            let whole = try run.train(recipe, in: "whole")
            let first = try run.train(recipe, in: "parts", stoppingAfter: 2)
            let rest = try run.train(recipe, in: "parts", resuming: true)
            #expect(whole.count == 4 && first + rest == whole)
            let lines = try rejections(folder, "whole")
            #expect(try rejections(folder, "parts") == lines)
            // Each record held out is listed once, though it is met at every evaluation.
            #expect(
                lines.filter { $0["evaluation"]?.bool == true }.compactMap { $0["record"]?.int }.sorted() == [0, 2, 5])
            let trained = lines.filter { $0["evaluation"] == nil }
            #expect(Set(trained.compactMap { $0["record"]?.int }) == [1, 7, 20])
            let place = RunFolder(Paths.join(folder, "whole"))
            let bundle = try ModelBundle.open(place.final, on: CPUBackend(threads: 1))
            try TrainingReport.write(folder: place, bundle: bundle, recipe: recipe, samples: [])
            let report = try Files.readText(place.report)
            #expect(report.contains("6 in all") && report.ranges(of: "<li>of the evaluation: ").count == 3)
            for name in ["whole", "parts"] {
                let summary = try JSON.read(Paths.join(folder, name, "summary.json"))
                #expect(summary["stages"]?.array?.first?["records_rejected"]?.int == trained.count)
            }
        }
    }

    /// Records that were out of reach only between a checkpoint and a failure are not told as left out.
    @Test func recordsThatWereTrainedOnAreNotListed() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let recipe = try run.recipe(["stages.instruct.error_limit=3"], stages: ["instruct"])
            let first = try run.train(recipe, in: "run", stoppingAfter: 2)
            let (pictures, away) = (Paths.join(folder, "shapes/train/images"), Paths.join(folder, "away"))
            try Files.rename(pictures, to: away)
            let error = problem { try run.train(recipe, in: "run", resuming: true) }
            #expect(error?.problem.contains("4 broken records, more than the limit of 3") == true)
            #expect(try rejections(folder, "run").count == 4)
            try Files.rename(away, to: pictures)
            let rest = try run.train(recipe, in: "run", resuming: true)
            #expect(try run.train(recipe, in: "whole") == first + rest)
            #expect(try rejections(folder, "run").isEmpty)
            #expect(try run.weights("run") == run.weights("whole"))
        }
    }
}
