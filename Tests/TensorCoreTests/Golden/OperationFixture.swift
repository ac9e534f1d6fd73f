import Basics
import Checkpointing
import TestSupport
import Testing

/// One case of a folder of operation fixtures: inputs, outputs and gradients from an independent implementation.
///
/// The folder holds `index.json` and a safetensors file a case with tensors `in.NAME`, `out.NAME`, `gout.NAME` (the fixed upstream
/// gradient of an output) and `grad.NAME` (of Σ out ⊙ gout with respect to an input).
struct OperationFixture: Sendable, CustomTestStringConvertible {
    let folder: String
    let name: String
    let description: JSON

    var testDescription: String { Paths.name(folder) + "/" + name }

    /// The repository's own cases, and the shared ones where present.
    static let all: [OperationFixture] = {
        let folders = [Fixtures.local("TensorCore", "operations")] + Fixtures.golden(indexing: "cases")
        return folders.flatMap { folder -> [OperationFixture] in
            guard let index = try? JSON.read(Paths.join(folder, "index.json")), let cases = index["cases"]?.object
            else {
                // A fixture that fails, rather than a folder that is passed over.
                return [OperationFixture(folder: folder, name: "index.json cannot be read", description: .null)]
            }
            return cases.map { OperationFixture(folder: folder, name: $0.key, description: $0.value) }
        }
    }()

    func open() throws -> TensorFile {
        try TensorFile(Paths.join(folder, try #require(description["file"]?.string)))
    }

    /// An attribute of the case.
    func number(_ name: String) throws -> Double {
        try #require(description["attrs"]?[name]?.double, "attribute \(name) of \(testDescription)")
    }

    /// The largest distance that the fixture's author allows; exact where none is given.
    func tolerance(_ tensor: String) -> Tolerance {
        description["tolerances"]?[tensor]?["tol"]?.double.map(Tolerance.absolute) ?? .exact
    }
}
