import Basics
import TestSupport
import Testing
import Training
import Tuning

/// What a recipe may say stands in the documentation, and what stands there may be said.
@Suite("Documentation of recipes")
struct RecipeDocumentationTests {
    /// Rows of the tables of an article: what its first cell names, and all of the row.
    private static func rows(_ article: String) throws -> [(keys: [String], text: String)] {
        let text = try Files.readText(Paths.join(Fixtures.repository, "Sources", article))
        return text.split(separator: "\n").filter { $0.hasPrefix("| `") }.map { line in
            let cell = line.dropFirst(2).prefix { $0 != "|" }
            return (
                cell.split(separator: "`").map(String.init).filter { !", ".contains($0) && $0 != " " }, String(line)
            )
        }
    }

    private static func recipe() throws -> [(keys: [String], text: String)] {
        try rows("Training/Training.docc/Recipe.md")
    }
    private static func tuning() throws -> [(keys: [String], text: String)] { try rows("Tuning/Tuning.docc/Tuning.md") }

    private static func faults(model: String = "m", _ stage: String) -> [RecipeFault] {
        let text = """
            model: \(model)
            stages:
              - name: a
                \(stage)
            """
        do {
            _ = try Recipe.parse(text, source: "r.yaml")
            return []
        } catch {
            return (error as? RecipeError)?.faults ?? []
        }
    }

    /// The keys that a reader lists when it is given one that is near none.
    private static func known(_ faults: [RecipeFault]) throws -> [String] {
        let fault = try #require(faults.first { $0.problem == "unknown key \"\(stranger)\"" })
        let list = try #require(fault.fix?.split(separator: ": ").last)
        return list.split(separator: ", ").map(String.init)
    }

    private static let stranger = "qqqqqqqqqqqqqqqqqqqqqq"

    @Test func everyKeyOfAStageStandsInTheTable() throws {
        let documented = try Self.recipe().flatMap(\.keys)
        let known = try Self.known(Self.faults("\(Self.stranger): 1"))
        #expect(known.count > 30)
        for key in known { #expect(documented.contains(key), "\(key)") }
    }

    @Test(arguments: ["{\(stranger): 1}", "{folder: m, \(stranger): 1}"])
    func everyKeyOfAModelStandsInTheTable(model: String) throws {
        let documented = try Self.recipe().flatMap(\.keys)
        for key in try Self.known(Self.faults(model: model, "train: [language]")) {
            #expect(documented.contains("model.\(key)"), "\(key)")
        }
    }

    /// Keys of what stands in a key are told in its row.
    @Test(arguments: [
        ("mixing", "mixing: {\(stranger): 1}"), ("learning_rate", "learning_rate: {\(stranger): 1}"),
        ("data", "data: [{path: a, \(stranger): 1}]"), ("augment", "augment: {\(stranger): 1}"),
        ("evaluate", "evaluate: {\(stranger): 1}"), ("optimizer", "optimizer: {\(stranger): 1}"),
    ])
    func nestedKeysStandInTheirRow(key: String, stage: String) throws {
        let row = try #require(try Self.recipe().first { $0.keys.contains(key) }).text
        let words = row.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init)
        for known in try Self.known(Self.faults(stage)) { #expect(words.contains(known), "\(known) of \(key)") }
    }

    @Test(arguments: TuningMethods.names) func optionsOfMethodsStandInTheirRow(name: String) throws {
        let rows = try Self.tuning()
        let own = try #require(rows.first { $0.keys.contains(name) }).text
        // QLoRA's row points to LoRA's.
        let row = own.contains("those of `lora`") ? own + (rows.first { $0.keys.contains("lora") }?.text ?? "") : own
        let words = row.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init)
        let known = try Self.known(Self.faults("tune: {language: {method: \(name), \(Self.stranger): 1}}"))
        for key in known where key != "method" { #expect(words.contains(key), "\(key) of \(name)") }
    }

    @Test func everyKeyOfTheTableIsRead() throws {
        for row in try Self.recipe() {
            for key in row.keys {
                let parts = key.split(separator: ".")
                let isOfModel = parts.first == "model" && parts.count == 2
                let stage = isOfModel || ["model", "stages"].contains(key) ? "train: [language]" : "\(key): null"
                let model = isOfModel ? "{folder: m, \(parts[1]): null}" : "m"
                // Keys of a run, of a whole model and of one from parts are read in places of their own.
                var unknown = Self.faults(model: model, stage).filter {
                    $0.problem == "unknown key \"\(parts.last ?? "")\""
                }
                if isOfModel, !unknown.isEmpty {
                    unknown = Self.faults(model: "{\(parts[1]): null}", stage).filter {
                        $0.problem == "unknown key \"\(parts[1])\""
                    }
                } else if !unknown.isEmpty {
                    let text = "model: m\nstages: []\n\(key): null\n"
                    let error = #expect(throws: RecipeError.self) { try Recipe.parse(text, source: "r.yaml") }
                    unknown = (error?.faults ?? []).filter { $0.problem == "unknown key \"\(key)\"" }
                }
                #expect(unknown.isEmpty, "\(key)")
            }
        }
    }
}
