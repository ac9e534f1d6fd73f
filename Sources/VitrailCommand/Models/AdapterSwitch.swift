import Basics
import Tuning
import VisionLanguage

/// Several adapters on one model, of which one is at work at a time.
final class AdapterSwitch {
    /// What a question calls the model without an adapter.
    static let none = "none"

    private let bundle: ModelBundle
    private let files: [String: AdapterFile]
    private let names: [String]
    private let digest: String
    private var current: (name: String, tuning: Tuning)?

    /// Opens all of them, so that a damaged or unfitting one is told before the first answer.
    ///
    /// - Parameter common: the adapter of questions that choose none.
    init(_ bundle: ModelBundle, common: String?, named: [(name: String, folder: String)]) throws {
        self.bundle = bundle
        digest = BaseDigest.hex(of: bundle.model.parameters)
        var files = Dictionary(uniqueKeysWithValues: try named.map { ($0.name, try AdapterFile($0.folder)) })
        if let common { files[""] = try AdapterFile(common) }
        self.files = files
        names = named.map(\.name)
        for name in names { try use(name) }
        try use(nil)
    }

    /// Puts one to work; nil takes the common one, or none.
    func use(_ name: String?) throws {
        let name = name ?? ""
        guard current?.name != name else { return }
        current?.tuning.detach()
        current = nil
        guard name != Self.none, let file = files[name] else { return try check(name) }
        current = (
            name,
            try file.attach(
                to: bundle.model.parameters, table: bundle.keyTable, digest: digest, keepsBase: true)
        )
    }

    /// Whether questions may choose this name.
    func check(_ name: String) throws {
        guard name != "", name != Self.none, files[name] == nil else { return }
        throw UserError(
            "a question chooses the adapter \"\(name)\", which is not there",
            fix: Suggestion.fix(
                for: name, among: names, or: "one of \(names.joined(separator: ", ")), or \(Self.none)"))
    }
}
