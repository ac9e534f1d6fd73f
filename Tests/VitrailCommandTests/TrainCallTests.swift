import Foundation
import Testing

/// What `vitrail train` makes of its flags.
struct TrainCallTests {
    private static let recipe = """
        model: \(VitrailProcess.repository.path)/Models/pebble
        stages:
          - name: instruct
            train: [projector]
            data: [shapes/train/records.jsonl]
            learning_rate: 1.0e-3
            batch_size: 2
            steps: 4
            log_every: 1
            evaluate: {data: shapes/val/questions.jsonl, metrics: [exact], limit: 4, max_new_tokens: 2}
        """

    private func prepare() throws -> VitrailProcess {
        let vitrail = try VitrailProcess()
        try vitrail.write(Self.recipe, to: "my recipe.yaml")
        let drawn = try vitrail.run("synthesize", "shapes", "--split", "train=20,val=10", "--json")
        #expect(drawn.code == 0, "said: \(drawn.error)")
        return vitrail
    }

    /// A slip in the last thing that a run does is told before its first step.
    @Test func unknownMetricsAreRefusedBeforeTraining() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        for flag in ["--dry-run", "--json"] {
            let result = try vitrail.run(
                "train", "my recipe.yaml", "--set", "stages.instruct.evaluate.metrics=[exat]", "--output", "run", flag)
            #expect(result.code == 1)
            #expect(result.error.contains("(did you mean \"exact\"?)"), "said: \(result.error)")
            #expect(!vitrail.exists("run"))
        }
    }

    /// The precision of the command line is the run's: it stands in its recipe, in the call that goes on, and is held.
    @Test func aPrecisionGivenHereIsTheRuns() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let stopped = try vitrail.run([
            "train", "my recipe.yaml", "--output", "run", "--precision", "bfloat16", "--threads", "1", "--set",
            "stages.instruct.data=[{path: shapes/train/records.jsonl}]",
        ]) { said, process in
            if said.contains("step 1/4") { process.interrupt() }
        }
        #expect(stopped.code == 130, "said: \(stopped.error)")
        #expect(try vitrail.text("run/recipe.yaml").contains("precision: bfloat16"))
        let call = try #require(stopped.error.split(separator: "\n").first { $0.hasPrefix("Go on with: vitrail ") })
        #expect(
            call.hasSuffix(
                " train 'my recipe.yaml' --set 'stages.instruct.data=[{path: shapes/train/records.jsonl}]' --output run "
                    + "--threads 1 --precision bfloat16 --resume"), "\(call)")
        let other = try vitrail.run(
            "train", "my recipe.yaml", "--output", "run", "--resume", "--set",
            "stages.instruct.data=[{path: shapes/train/records.jsonl}]")
        #expect(other.code == 1 && other.error.contains("another recipe"), "said: \(other.error)")
    }
}
