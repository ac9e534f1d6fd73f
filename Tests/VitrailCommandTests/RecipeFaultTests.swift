import Foundation
import Testing

/// What a user reads when a recipe, its data and its model are wrong or do not fit.
struct RecipeFaultTests {
    static let pebble = VitrailProcess.repository.path + "/Models/pebble"

    private func recipe(_ stage: String, model: String = pebble) -> String {
        "model: \(model)\nstages:\n  - name: align\n    train: [projector]\n" + stage
    }

    private func train(_ vitrail: VitrailProcess, _ recipe: String) throws -> VitrailProcess.Result {
        try vitrail.write(recipe, to: "recipe.yaml")
        return try vitrail.run("train", "recipe.yaml", "--threads", "1", "--output", "run")
    }

    @Test func allFaultsAtOnce() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        let result = try train(
            vitrail, recipe("    data: [a.jsonl]\n    learning_rat: 1e-3\n    batch_size: x\n    on_error: ski\n"))
        #expect(result.code == 1)
        for part in [
            "recipe.yaml:6: stages[0]: unknown key \"learning_rat\"", "write \"learning_rate\"",
            "recipe.yaml:7: stages[0].batch_size", "on_error", "\"learning_rate\" is missing",
        ] {
            #expect(result.error.contains(part), "\(part) is not in: \(result.error)")
        }
        #expect(!vitrail.exists("run"))
    }

    /// Folders of pictures that are none are told with the recipe's other faults, before a model is opened.
    @Test(arguments: [["train", "--dry-run"], ["train"], ["estimate"]])
    func foldersOfPicturesAreThere(call: [String]) throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        try vitrail.write(
            recipe(
                """
                    data:
                      - {path: a.jsonl, images: none}
                      - {path: b.jsonl, images: recipe.yaml, select: fist}
                    evaluate: {data: [{path: c.jsonl, images: pictures}, d.jsonl]}
                    learning_rate: 1e-3

                """, model: "none"), to: "recipe.yaml")
        let result = try vitrail.run([call[0], "recipe.yaml"] + call.dropFirst())
        #expect(result.code == 1)
        for part in [
            "recipe.yaml:6: stages[0].data[0].images: none: no such folder",
            "recipe.yaml:7: stages[0].data[1].images: recipe.yaml: that is no folder",
            "recipe.yaml:7: stages[0].data[1].select: selection \"fist\"",
            "recipe.yaml:8: stages[0].evaluate.data: an evaluation reads one data set, not 2",
            "recipe.yaml:8: stages[0].evaluate.data[0].images: pictures: no such folder",
            "name the folder of the pictures",
        ] {
            #expect(result.error.contains(part), "\(part) is not in: \(result.error)")
        }
        #expect(!vitrail.exists("runs"))
    }

    @Test(arguments: [
        ("", "empty"),
        ("a: [1, 2\n", "YAML"),
        ("- 1\n- 2\n", "keys and values"),
        ("model: \(pebble)\nstages: []\n", "at least one stage"),
    ])
    func noRecipe(text: String, hint: String) throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        let result = try train(vitrail, text)
        #expect(result.code == 1)
        #expect(result.error.contains(hint), "said: \(result.error)")
    }

    @Test(arguments: [
        ("", "no records"),
        ("not json\n", "data.jsonl"),
        ("{\"id\": \"1\", \"image\": \"none.png\", \"conversations\": 7}\n", "conversations"),
        (
            "{\"id\": \"1\", \"image\": \"none.png\", \"conversations\": "
                + "[{\"from\": \"human\", \"value\": \"<image>\\nWhat?\"}, {\"from\": \"gpt\", \"value\": \"A\"}]}\n",
            "none.png"
        ),
    ])
    func brokenData(records: String, hint: String) throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        try vitrail.write(records, to: "data.jsonl")
        let result = try train(
            vitrail, recipe("    data: [data.jsonl]\n    learning_rate: 1e-3\n    on_error: fail\n"))
        #expect(result.code == 1)
        #expect(result.error.contains(hint), "said: \(result.error)")
        #expect(!vitrail.exists("run/final"))
    }

    @Test func modelAndRecipeThatDoNotFit() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        try vitrail.write("{}", to: "config.json")
        let result = try train(
            vitrail, recipe("    data: [data.jsonl]\n    learning_rate: 1e-3\n", model: vitrail.folder.path))
        #expect(result.code == 1)
        #expect(result.error.contains("config.json"), "said: \(result.error)")
        #expect(result.error.contains("fix: "))
    }

    @Test func trainNamesWhatTheModelLacks() throws {
        let vitrail = try VitrailProcess()
        defer { vitrail.remove() }
        try vitrail.write("{\"id\": \"1\", \"conversations\": []}\n", to: "data.jsonl")
        try vitrail.write(
            "model: \(Self.pebble)\nstages:\n  - {name: a, train: [projecter], data: [data.jsonl], learning_rate: 1e-3}\n",
            to: "recipe.yaml")
        let result = try vitrail.run("train", "recipe.yaml", "--threads", "1", "--output", "run")
        #expect(result.code == 1)
        #expect(result.error.contains("projecter") && result.error.contains("projector"), "said: \(result.error)")
    }
}
