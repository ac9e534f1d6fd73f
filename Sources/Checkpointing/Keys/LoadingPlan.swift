import Basics
import NeuralNetwork
import TensorCore

/// Which tensor of a checkpoint goes where, worked out and checked before anything is read.
struct LoadingPlan {
    /// One tensor of the file and the parameters that it fills.
    struct Step {
        let name: String
        let form: KeyRule.Form
        let parameters: [Parameter]
        /// The block form that the file holds, taken as it is; nil for numbers.
        var blocks: DType?
    }

    var steps: [Step] = []

    /// - Throws: ``CheckpointError`` listing every difference between the checkpoint and the tree.
    init(_ tree: ParameterTree, from source: some TensorSource, table: KeyTable) throws {
        var differences = KeyDifferences()
        var parameters: [String: Parameter] = [:]
        for (path, parameter) in tree.entries {
            precondition(parameters.updateValue(parameter, forKey: path) == nil, "two parameters have the path \(path)")
        }
        var wanted: [String: KeyTable.Place] = [:]
        for (path, _) in tree.entries {
            guard let place = table.place(ofParameter: path) else {
                preconditionFailure("the key table has no rule for the parameter \(path)")
            }
            wanted[place.key] = place
        }
        let names = Self.assign(source, wanted: wanted, table: table, &differences)
        var done: Set<String> = []
        for (path, _) in tree.entries {
            guard let place = wanted[table.key(ofParameter: path) ?? ""], done.insert(place.key).inserted else {
                continue
            }
            let parts = place.paths.compactMap { parameters[$0] }
            guard parts.count == place.paths.count else {
                preconditionFailure("\(place.key) holds \(place.paths), of which the model has \(parts.count)")
            }
            guard let name = names[place.key] else {
                differences.missing.append((path, place.key))
                continue
            }
            let expected = Self.fileShape(of: parts.map(\.shape.dimensions), place.form)
            let entry = try source.entry(name)
            if let blocks = DType.blocks(in: entry, of: parts, place.form) {
                steps.append(Step(name: name, form: place.form, parameters: parts, blocks: blocks))
                continue
            }
            guard entry.shape == expected else {
                differences.shapes.append((name, entry.shape, expected, path))
                continue
            }
            guard entry.element.isFloatingPoint else {
                differences.elements.append((name, entry.element, path))
                continue
            }
            steps.append(Step(name: name, form: place.form, parameters: parts))
        }
        try differences.check(path: source.path, among: source.names)
        // In the order of the file, so that a disk reads forwards.
        let order = Dictionary(uniqueKeysWithValues: source.names.enumerated().map { (Array($1.utf8), $0) })
        steps.sort { order[Array($0.name.utf8)] ?? 0 < order[Array($1.name.utf8)] ?? 0 }
    }

    /// Finds the wanted key that each name of the file stands for; what is left over goes to `differences`.
    private static func assign(
        _ source: some TensorSource, wanted: [String: KeyTable.Place], table: KeyTable,
        _ differences: inout KeyDifferences
    ) -> [String: String] {
        var names: [String: String] = [:]
        var ties: [(name: String, tie: TiedKey)] = []
        for name in source.names {
            let spellings = table.spellings(of: name)
            if let key = spellings.first(where: { wanted[$0] != nil }) {
                if let other = names.updateValue(name, forKey: key) { differences.doubled.append((other, name)) }
            } else if let tie = table.ties.first(where: { spellings.contains($0.key) && wanted[$0.original] != nil }) {
                ties.append((name, tie))
            } else if table.reasonToIgnore(name) == nil {
                differences.unexpected.append(name)
            }
        }
        for (name, tie) in ties {
            if let original = names[tie.original] {
                if !Self.areEqual(name, original, in: source) { differences.ties.append((name, tie)) }
            } else {
                // Some writers keep the other name of a tensor that two parts share.
                names[tie.original] = name
            }
        }
        return names
    }

    /// Whether two tensors of a source hold the same values.
    private static func areEqual(_ a: String, _ b: String, in source: some TensorSource) -> Bool {
        guard let x = try? source.entry(a), let y = try? source.entry(b), x.shape == y.shape else { return false }
        let result = try? source.withBytes(a) { first in
            try source.withBytes(b) { second in x.element == y.element && FloatConversion.areEqual(first, second) }
        }
        return result ?? false
    }

    /// The shape that parameters have in the file.
    static func fileShape(of shapes: [[Int]], _ form: KeyRule.Form) -> [Int] {
        var joined = shapes[0]
        if shapes.count > 1, !joined.isEmpty { joined[0] = shapes.reduce(0) { $0 + $1[0] } }
        switch form {
        case .same: return joined
        case .transposed: return joined.count == 2 ? joined.reversed() : joined
        case .shaped(let shape):
            let count = joined.reduce(1, *)
            let known = shape.reduce(1) { $1 == -1 ? $0 : $0 * $1 }
            return shape.map { $0 == -1 ? count / max(1, known) : $0 }
        }
    }
}
