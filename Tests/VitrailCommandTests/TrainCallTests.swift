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

    /// An evaluation of the loss asks nothing; its best is the least. A report that a kill took away comes with `--resume`.
    @Test func lossesAreEvaluatedAndReported() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let call = [
            "train", "my recipe.yaml", "--output", "run", "--threads", "1", "--set",
            "stages.instruct.evaluate={data: shapes/val/records.jsonl, every: 2}",
        ]
        let result = try vitrail.run(call)
        #expect(result.code == 0 && vitrail.exists("run/report.html"), "said: \(result.error)")
        let summary = try vitrail.text("run/summary.json")
        #expect(summary.contains(/"best_evaluation": ?[0-9]/), "\(summary)")
        #expect(try vitrail.shell("rm run/report.html").code == 0)
        let again = try vitrail.run(call + ["--resume"])
        #expect(again.code == 0 && vitrail.exists("run/report.html"), "said: \(again.error)")
        let steps = try vitrail.text("run/metrics.jsonl")
        let over = try vitrail.run("report", "run", "--output", "run/metrics.jsonl")
        #expect(over.code == 1 && over.error.contains("is what is read"), "said: \(over.error)")
        #expect(try vitrail.text("run/metrics.jsonl") == steps)
    }

    /// Data that an evaluation cannot use are told before the first step, as the rest of the recipe is.
    @Test(arguments: [
        ("{data: shapes/val/records.jsonl, metrics: [exact]}", "shapes/val/records.jsonl:1: no \"question\""),
        ("{data: shapes/val/questions.jsonl}", "stage \"instruct\": evaluate.data: shapes/val/questions.jsonl:"),
    ])
    func evaluationsAreCheckedBeforeTraining(evaluation: String, words: String) throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        for flags in [["--dry-run"], ["--output", "run"]] {
            let result = try vitrail.run(
                ["train", "my recipe.yaml", "--set", "stages.instruct.evaluate=\(evaluation)"] + flags)
            #expect(result.code == 1 && result.error.contains(words), "said: \(result.error)")
            #expect(!vitrail.exists("run"))
        }
    }

    /// What an estimate measures in a process of its own ends with it, even where it cannot say so, and nothing of either stays.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/proc/self/cmdline")), arguments: ["TERM", "KILL"])
    func anEstimateLeavesNoProcessBehind(signal: String) throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        // A process that has ended stays in state Z until somebody has waited for it; one that becomes another program has it for a moment.
        let result = try vitrail.shell(
            """
            mkdir scratch
            TMPDIR=$PWD/scratch "$VITRAIL" estimate "my recipe.yaml" --steps 100 --threads 1 \\
                --set stages.instruct.batch_size=80 --set stages.instruct.steps=1000 & parent=$!
            for turn in $(seq 6000); do
                read child rest < /proc/$parent/task/$parent/children
                [ -n "$child" ] && grep -q alone /proc/$child/cmdline && break
                kill -0 $parent || break
                sleep 0.1
            done
            kill -\(signal) $parent
            for turn in $(seq 6000); do
                grep -q '^State:.[^ZX]' /proc/$child/status 2>/dev/null || [ "$(ls scratch)" ] ||
                    { echo "$child has ended"; exit; }
                sleep 0.1
            done
            kill -9 $child
            """)
        #expect(result.output.contains(/^[0-9]+ has ended\n$/), "\(result.output) \(result.error)")
    }

    /// A loss far beyond a model's positions is told as such.
    @Test func scoresOfLongRecordsAreNoted() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        for (name, count) in [("long", 1_200), ("short", 3)] {
            let answer = String(repeating: "red ", count: count)
            try vitrail.write(
                #"{"id":"a","conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"\#(answer)"}]}"#
                    + "\n",
                to: "\(name).jsonl")
        }
        let model = VitrailProcess.repository.appendingPathComponent("Models/pebble").path
        let long = try vitrail.run("score", model, "--data", "long.jsonl", "--json")
        #expect(long.code == 0 && long.lines.last?.contains(#""too_long":1"#) == true, "\(long)")
        #expect(long.error.contains("1 record of more than the 1,024 tokens that the model was made for"))
        let short = try vitrail.run("score", model, "--data", "short.jsonl", "--json")
        #expect(short.code == 0 && short.error.isEmpty && short.lines.last?.contains("too_long") == false, "\(short)")
    }

    /// A log on a full disk costs no steps: what is learned is saved first.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full")), arguments: [">/dev/full", ">&-"])
    func aLogThatIsLostCostsNoSteps(sink: String) throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let call = "\"$VITRAIL\" train \"my recipe.yaml\" --output run --threads 1"
        let stopped = try vitrail.shell("\(call) --json \(sink)")
        #expect(stopped.code == 1 && stopped.error.contains("error: cannot write standard output"), "\(stopped)")
        #expect(stopped.error.contains("Stopped after a whole step; saved run/checkpoints/"), "\(stopped.error)")
        let rest = try vitrail.shell("\(call) --resume")
        #expect(rest.code == 0 && rest.error.contains("Continuing from stage"), "\(rest.error)")
    }

    /// `timeout` sends its signal to both processes, also where the second is only about to listen.
    @Test func anEstimateThatIsStoppedAtItsStartLeavesNothing() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let result = try vitrail.shell(
            """
            mkdir scratch
            for time in 0.01 0.015 0.02 0.03 0.04 0.06 0.08 0.1; do
                TMPDIR=$PWD/scratch timeout $time "$VITRAIL" estimate "my recipe.yaml" --steps 100 --threads 1
            done >/dev/null
            ls scratch
            """)
        #expect(result.output.isEmpty, "\(result.output) \(result.error)")
    }

    /// The folder of what is measured goes in the end; one that holds something is nobody's scratch.
    @Test func anEstimateRemovesNoFolderWithFiles() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let result = try vitrail.shell(
            """
            mkdir kept && touch kept/file
            "$VITRAIL" estimate "my recipe.yaml" --steps 1 --threads 1 --alone kept
            echo $?; ls kept
            """)
        #expect(result.output == "1\nfile\n", "\(result.output) \(result.error)")
        #expect(result.error.contains("kept: the folder is not empty"))
    }

    /// A run that is done is not done for another recipe.
    @Test func aFinishedRunIsOfItsRecipeOnly() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let call = ["train", "my recipe.yaml", "--output", "run", "--threads", "1"]
        #expect(try vitrail.run(call).code == 0)
        let again = try vitrail.run(call + ["--resume"])
        #expect(again.code == 0 && again.error.contains("This run is finished"), "said: \(again.error)")
        let longer = try vitrail.run(call + ["--resume", "--set", "stages.instruct.steps=6"])
        #expect(longer.code == 1 && longer.error.contains("another recipe"), "said: \(longer.error)")
        let asked = try vitrail.run("caption", "--model", "run", "shapes/val/images")
        #expect(asked.error == "error: run: no config.json\nfix: name the model in it: run/final\n")
        #expect(try vitrail.run("inspect", "run").error.hasSuffix("fix: name the model in it: run/final\n"))
    }

    /// The precision of the command line is the run's: it stands in its recipe, in the call that goes on, and is held.
    @Test func aPrecisionGivenHereIsTheRuns() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        let stopped = try vitrail.run(
            "train", "my recipe.yaml", "--output", "run", "--precision", "bfloat16", "--threads", "1", "--set",
            "stages.instruct.data=[{path: shapes/train/records.jsonl}]", "--set", "stages.instruct.steps=40",
            interruptedAt: "step 1/40")
        #expect(stopped.code == 130, "said: \(stopped.error)")
        #expect(try vitrail.text("run/recipe.yaml").contains("precision: bfloat16"))
        let call = try #require(stopped.error.split(separator: "\n").first { $0.hasPrefix("Go on with: vitrail ") })
        #expect(
            call.hasSuffix(
                " train 'my recipe.yaml' --set 'stages.instruct.data=[{path: shapes/train/records.jsonl}]' "
                    + "--set stages.instruct.steps=40 --output run --threads 1 --precision bfloat16 --resume"),
            "\(call)")
        let other = try vitrail.run(
            "train", "my recipe.yaml", "--output", "run", "--resume", "--set",
            "stages.instruct.data=[{path: shapes/train/records.jsonl}]", "--set", "stages.instruct.steps=40")
        #expect(other.code == 1 && other.error.contains("another recipe"), "said: \(other.error)")
    }

    /// A broken picture among an evaluation's is left out and told, as among the training data.
    @Test func brokenPicturesOfAnEvaluationAreLeftOut() throws {
        let vitrail = try prepare()
        defer { vitrail.remove() }
        var lines = try vitrail.text("shapes/val/questions.jsonl").split(separator: "\n").prefix(4).map(String.init)
        lines[1] = #"{"id":"b","image":"images/broken.png","question":"What?","answers":["x"]}"#
        try vitrail.write(lines.joined(separator: "\n") + "\n", to: "shapes/val/some.jsonl")
        try vitrail.write("no picture", to: "shapes/val/images/broken.png")
        func train(_ data: String, _ output: String) throws -> VitrailProcess.Result {
            try vitrail.run(
                "train", "my recipe.yaml", "--output", output, "--set", "stages.instruct.evaluate.data=\(data)",
                "--threads", "1")
        }
        let some = try train("shapes/val/some.jsonl", "some")
        #expect(some.code == 0, "said: \(some.error)")
        #expect(some.error.contains("1 of 4 questions left out") && some.error.contains("broken.png"))
        #expect(vitrail.exists("some/report.html"))
        try vitrail.write(lines[1] + "\n", to: "shapes/val/none.jsonl")
        let none = try train("shapes/val/none.jsonl", "none")
        #expect(none.code == 1 && none.error.contains("none.jsonl: no question"), "said: \(none.error)")
    }
}
