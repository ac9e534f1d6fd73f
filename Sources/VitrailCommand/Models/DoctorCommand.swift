import ArgumentParser
import Basics
import CPUBackend
import TensorCore

/// `vitrail doctor`.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Say what this machine offers and which kernels run on it.",
        discussion: """
            EXAMPLES
              vitrail doctor
              vitrail doctor --json
            """)

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let facts = MachineFacts.read()
        if json {
            Console.out(JSON.object(JSONObject(facts.map { ($0.name, .string($0.value)) })).serialized())
        } else {
            Console.facts(facts)
        }
    }
}
