import Basics
import Testing
import Training

@Suite("Recipe")
struct RecipeTests {
    private let text = """
        model: Models/pebble
        stages:
          - name: align
            train: [projector]
            data: [a.jsonl]
            learning_rate: 1.0e-3
          - name: instruct
            train: [vision, projector, language]
            data: [b.jsonl]
            learning_rate: {peak: 1.0e-3}
            batch_size: 16
        """

    private func faults(_ text: String, _ overrides: [String] = [], stages: [String]? = nil) -> [RecipeFault] {
        do {
            _ = try Recipe.parse(text, source: "r.yaml", overrides: overrides, stages: stages)
            return []
        } catch {
            return (error as? RecipeError)?.faults ?? []
        }
    }

    @Test func everyFaultIsToldAtOnceInTheOrderOfTheFile() {
        let broken = text.replacing("train: [projector]", with: "trian: [projector]").replacing(
            "batch_size: 16", with: "batch_size: many")
        let found = faults(broken)
        #expect(found.count >= 2)
        #expect(found.contains { $0.line == 4 && $0.problem.contains("trian") && $0.fix?.contains("train") == true })
        #expect(found.contains { $0.line == 11 })
        #expect(found.compactMap(\.line) == found.compactMap(\.line).sorted())
    }

    /// What a fix is for stands before it where there are several; the recipe itself has no name.
    @Test func fixesNameTheirPlaces() throws {
        let error = #expect(throws: RecipeError.self) {
            try Recipe.parse("seed: 1\nsead: 2\n", source: "r.yaml", overrides: [], stages: nil)
        }
        let fixes = try #require(error?.fix).split(separator: "\n")
        #expect(fixes.count >= 2 && fixes.allSatisfy { !$0.hasPrefix(":") })
    }

    @Test func valuesAreChangedByStageNameOrIndex() throws {
        let recipe = try Recipe.parse(
            text, source: "r.yaml", overrides: ["stages.align.batch_size=4", "stages.1.epochs=2.5", "seed=7"])
        #expect(recipe.stages[0].batchSize == 4)
        #expect(recipe.stages[1].batchSize == 16)
        #expect(recipe.stages[1].epochs == 2.5)
        #expect(recipe.seed == 7)
        #expect(faults(text, ["stages.algin.batch_size=4"]).count == 1)
    }

    @Test func assumedValuesAreWrittenOut() throws {
        let recipe = try Recipe.parse(text, source: "r.yaml")
        #expect(!recipe.resolved.contains("log_every") && recipe.complete.contains("log_every: 10"))
        let again = try Recipe.parse(recipe.complete, source: "r.yaml")
        #expect(again.resolved == recipe.complete && again.complete == recipe.complete)
        #expect(again.stages.map(\.epochs) == recipe.stages.map(\.epochs))
        #expect(again.stages.map(\.shufflesTurns) == recipe.stages.map(\.shufflesTurns))
    }

    /// Steps and passes both say how long a stage trains: one of them counts, and the run folder's recipe names that one.
    @Test func stepsAndPassesExcludeEachOther() throws {
        let both = faults(text + "\n    steps: 3\n    epochs: 2")
        #expect(both.map(\.path) == ["stages[1].epochs"] && both[0].problem.contains("both"), "\(both)")
        let steps = try Recipe.parse(text + "\n    epochs: 2", source: "r.yaml", overrides: ["stages.instruct.steps=3"])
        #expect(steps.stages[1].steps == 3 && !steps.resolved.contains("epochs"))
        #expect(try Recipe.parse(steps.complete, source: "r.yaml").stages[1].steps == 3)
        let passes = try Recipe.parse(text + "\n    steps: 3", source: "r.yaml", overrides: ["stages.1.epochs=2"])
        #expect(passes.stages[1].steps == nil && passes.stages[1].epochs == 2)
        #expect(!passes.complete.contains("steps"))
    }

    /// A call that names nothing is told of what it named nothing.
    @Test func emptyNamesAreTold() {
        #expect(faults(text, stages: []).map(\.fix) == ["name some of: align, instruct"])
        #expect(faults(text, ["=3"]).map(\.problem) == ["no key before the \"=\""])
    }

    @Test func stagesAreChosenByName() throws {
        let recipe = try Recipe.parse(text, source: "r.yaml", stages: ["instruct"])
        #expect(recipe.stages.map(\.name) == ["instruct"])
        #expect(!recipe.resolved.contains("align"))
        let found = faults(text, stages: ["instrct"])
        #expect(found.contains { $0.problem.contains("no stage") && $0.fix == "write \"instruct\"" })
        #expect(found.count == 1)
    }

    /// Numbers that no run can follow are faults with their place, not traps later.
    @Test(arguments: [
        "batch_size=9223372036854775807", "batch_size=0", "accumulate=9223372036854775807", "epochs=.inf",
        "epochs=1e300", "epochs=.nan", "epochs=-1", "steps=9223372036854775807", "augment.shift=9223372036854775807",
        "learning_rate.peak=.nan", "learning_rate.warmup=1.5", "picture_cache_mb=9223372036854775807",
        // Moments that forget nothing, and steps that are divided by zero.
        "beta1=1", "beta2=1", "epsilon=0", "optimizer={name: muon, momentum: 1}",
        "max_tokens=9223372036854775807", "optimizer={name: galore, rank: 9223372036854775807}",
        "cache_features_gb=9223372036854775807", "tune={language: {method: prompt, tokens: 2147483647}}",
    ])
    func numbersOutOfRangeAreFaults(override: String) throws {
        let found = faults(text, ["stages.instruct.\(override)"])
        let key = try #require(override.split(separator: "=").first)
        #expect(found.count == 1)
        #expect(found.first?.path.hasPrefix("stages[1].\(key)") == true, "\(found)")
    }

    @Test(arguments: [
        ("stages.instruct.on_error=skp", "skip"), ("stages.instruct.template=vicuna", "vicuna_v1"),
        ("model={language: m, projector: pixel_shufle}", "pixel_shuffle"),
        ("model={language: m, image_mode: padd}", "pad"), ("model={language: m, template: chatlm}", "chatml"),
        ("precision=bfloat", "bfloat16"),
    ])
    func wordsThatAreNoChoiceNameTheNearest(override: String, nearest: String) {
        #expect(faults(text, [override]).map(\.fix) == ["write \"\(nearest)\""])
    }

    /// A rate that is no rate is told, also where it stands alone.
    @Test(arguments: [".nan", ".inf", "-1.0e-3"], ["RATE", "{peak: RATE}", "{peak: 1, vision: RATE}"])
    func ratesThatAreNoneAreRefused(rate: String, form: String) {
        let text = "model: m\nstages:\n  - {name: a, train: [language], data: [d], learning_rate: FORM}\n"
        let faults = self.faults(text.replacing("FORM", with: form.replacing("RATE", with: rate)))
        #expect(faults.count == 1 && faults[0].path.contains("learning_rate") && faults[0].line == 3, "\(faults)")
        #expect(self.faults(text.replacing("FORM", with: form.replacing("RATE", with: "1.0e-3"))).isEmpty)
    }

    /// Numbers that are none would train nothing but NaN.
    @Test(
        arguments: [".inf", "-.inf", ".nan"],
        [
            "method: lora, alpha: X", "method: lora, rate_ratio: X", "method: lora, dropout: X",
            "method: lora, rank: X",
            "method: lora, alpha_pattern: {query: X}", "method: lora, rank_pattern: {query: X}",
            "method: qlora, alpha: X", "method: vera, d_initial: X", "method: vera, rank: X",
        ])
    func methodsRefuseWhatIsNoNumber(number: String, options: String) throws {
        let tune = options.replacing("X", with: number)
        let recipe = "model: m\nstages:\n  - {name: a, data: [d], learning_rate: 1, tune: {language: {\(tune)}}}\n"
        let faults = self.faults(recipe)
        let key = tune.split(separator: " ")[2].dropLast()
        #expect(faults.count == 1 && faults[0].path.contains(".\(key)"), "\(faults)")
        #expect(faults[0].line == 3)
        #expect(self.faults(recipe.replacing(number, with: key == "dropout" ? "0.5" : "8")).isEmpty)
    }

    /// What is no YAML at all is told with its line, in one line.
    @Test(arguments: [
        ("model: a\nstages: [\n", "r.yaml:3"), ("model: a\n\tseed: 1\n", "r.yaml:2"),
        ("model: a\nseed: 1\nseed: 2\n", "these keys stand twice: seed"), ("a: &x [*y]\n", "r.yaml:1"),
    ])
    func textThatIsNoYAMLIsToldWithItsLine(text: String, told: String) throws {
        let error = try #require(throws: UserError.self) { try Recipe.parse(text, source: "r.yaml") }
        #expect(error.problem.hasPrefix("r.yaml") && error.problem.contains(told), "\(error.problem)")
        #expect(error.problem.contains(": not valid YAML: ") && !error.problem.contains("\n"))
    }
}
