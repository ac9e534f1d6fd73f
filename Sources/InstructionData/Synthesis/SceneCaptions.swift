import Basics

/// Captions of a scene; every word is visible in the picture.
struct SceneCaptions {
    let scene: ShapeScene

    /// The one exact description: each shape with size, colour and place, from left to right.
    ///
    /// `A large red circle at the top left and a small blue star at the right.`
    var exact: String {
        let parts = scene.objects.map { "a \($0.words(sized: true)) \(Self.preposition($0.place))" }
        return Self.sentence(Self.joined(parts))
    }

    /// All short statements of these kinds that are true of the scene; any other of these kinds is false.
    ///
    /// `a red circle`, `a large circle`, `a large red shape`, `a circle at the top left`, `a red shape at the top left`, `two shapes`.
    var statements: [String] {
        var statements: [String] = []
        for object in scene.objects {
            let (shape, color, size) = (object.shape.rawValue, object.color.rawValue, object.size.rawValue)
            let place = Self.preposition(object.place)
            for words in [
                "\(color) \(shape)", "\(size) \(shape)", "\(size) \(color) shape", "\(shape) \(place)",
                "\(color) shape \(place)",
            ] {
                let statement = "\(Self.article(words)) \(words)"
                if !statements.contains(statement) { statements.append(statement) }
            }
        }
        let count = scene.objects.count
        return statements + [count == 1 ? "one shape" : "\(Self.words[count]) shapes"]
    }

    /// A short caption: shapes by colour, equal ones counted.
    func brief(generator: inout RandomGenerator) -> String {
        let list = Self.joined(groups)
        switch generator.below(4) {
        case 0: return Self.sentence(list)
        case 1: return "The picture shows \(list)."
        case 2: return "There \(groups[0].hasPrefix("a ") || groups[0].hasPrefix("an ") ? "is" : "are") \(list)."
        default: return "A picture of \(list)."
        }
    }

    /// A caption of one or two sentences: exact, brief, or with a relation.
    func varied(generator: inout RandomGenerator) -> String {
        switch generator.below(4) {
        case 0, 1: return exact
        case 2: return brief(generator: &generator)
        default:
            let relations = SceneFacts(scene).relations
            guard !relations.isEmpty else { return brief(generator: &generator) }
            let relation = relations[generator.below(relations.count)]
            return brief(generator: &generator) + " "
                + "The \(relation.first.words(sized: false)) is \(relation.words) the \(relation.second.words(sized: false))."
        }
    }

    /// Equal combinations counted: `a red circle`, `two blue stars`.
    private var groups: [String] {
        var order: [ShapeCombination] = []
        for object in scene.objects where !order.contains(object.combination) { order.append(object.combination) }
        return order.map { combination in
            let count = scene.objects.count { $0.combination == combination }
            let color = combination.color.rawValue
            if count > 1 { return "\(Self.words[count]) \(color) \(combination.shape.plural)" }
            return "\(Self.article(color)) \(color) \(combination.shape.rawValue)"
        }
    }

    private static let words = ["no", "one", "two", "three", "four"]

    static func article(_ word: String) -> String { "aeiou".contains(word.prefix(1)) ? "an" : "a" }

    private static func preposition(_ place: String) -> String {
        place == "center" ? "in the center" : "at the \(place)"
    }

    private static func joined(_ parts: [String]) -> String {
        guard parts.count > 1 else { return parts.first ?? "" }
        return parts.dropLast().joined(separator: ", ") + " and " + parts[parts.count - 1]
    }

    private static func sentence(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() + "." }
}
