import Basics

/// A question about a scene with its one right answer.
struct SceneQuestion: Sendable {
    /// What it asks for: `color`, `shape`, `count` and so on.
    var kind: String
    var question: String
    var answer: String
    /// What it is about, so that a conversation doesn't ask the same in other words.
    var topic: String
}

/// Makes questions about a scene, in several phrasings, short answers.
struct SceneQuestions {
    let scene: ShapeScene
    private let facts: SceneFacts

    init(_ scene: ShapeScene) {
        self.scene = scene
        facts = SceneFacts(scene)
    }

    /// Up to `count` questions, of different kinds as far as there are any, in random order.
    func draw(_ count: Int, generator: inout RandomGenerator) -> [SceneQuestion] {
        var makers = Self.kinds
        generator.shuffle(&makers)
        var questions: [SceneQuestion] = []
        for maker in makers + makers where questions.count < count {
            guard let made = maker(self, &generator), !questions.contains(where: { $0.topic == made.topic })
            else { continue }
            questions.append(made)
        }
        return questions
    }

    private typealias Maker = @Sendable (SceneQuestions, inout RandomGenerator) -> SceneQuestion?

    /// Presence and colour twice, so that they come more often.
    private static let kinds: [Maker] = [
        { $0.color(&$1) }, { $0.color(&$1) }, { $0.shape(&$1) }, { $0.shape(&$1) }, { $0.presence(&$1) },
        { $0.presence(&$1) }, { $0.size(&$1) }, { $0.place(&$1) }, { $0.countAll(&$1) }, { $0.countSome(&$1) },
        { $0.relation(&$1) }, { $0.neighbour(&$1) }, { $0.comparison(&$1) },
    ]

    private func pick<Item>(_ items: [Item], _ generator: inout RandomGenerator) -> Item? {
        items.isEmpty ? nil : items[generator.below(items.count)]
    }

    private func make(
        _ kind: String, _ phrasings: [String], _ answer: String, _ generator: inout RandomGenerator
    ) -> SceneQuestion {
        SceneQuestion(
            kind: kind, question: phrasings[generator.below(phrasings.count)], answer: answer, topic: phrasings[0])
    }

    private func color(_ generator: inout RandomGenerator) -> SceneQuestion? {
        guard let object = pick(scene.objects.filter { facts.count(of: $0.shape) == 1 }, &generator) else { return nil }
        let name = object.shape.rawValue
        return make(
            "color",
            ["What color is the \(name)?", "What is the color of the \(name)?", "Which color does the \(name) have?"],
            object.color.rawValue, &generator)
    }

    private func shape(_ generator: inout RandomGenerator) -> SceneQuestion? {
        guard let object = pick(scene.objects.filter { facts.count(of: $0.color) == 1 }, &generator) else { return nil }
        let name = object.color.rawValue
        return make(
            "shape", ["What is the \(name) shape?", "Which shape is \(name)?", "What shape is the \(name) one?"],
            object.shape.rawValue, &generator)
    }

    private func size(_ generator: inout RandomGenerator) -> SceneQuestion? {
        guard let object = pick(facts.singular, &generator) else { return nil }
        let name = facts.name(object)
        return make(
            "size",
            ["Is the \(name) large or small?", "What size is the \(name)?", "Is the \(name) small or large?"],
            object.size.rawValue, &generator)
    }

    private func place(_ generator: inout RandomGenerator) -> SceneQuestion? {
        guard let object = pick(facts.singular, &generator) else { return nil }
        let name = facts.name(object)
        return make(
            "place",
            [
                "Where is the \(name)?", "In which part of the picture is the \(name)?",
                "What is the place of the \(name)?",
            ],
            object.place, &generator)
    }

    private func presence(_ generator: inout RandomGenerator) -> SceneQuestion? {
        guard let object = pick(scene.objects, &generator) else { return nil }
        var asked = object.combination
        let isThere = generator.below(2) == 0
        if !isThere {
            // A near miss: the colour or the shape of something that is there, exchanged.
            for _ in 0..<20 where facts.contains(asked) {
                asked = object.combination
                if generator.below(2) == 0 {
                    asked.color = ShapeColor.allCases[generator.below(ShapeColor.allCases.count)]
                } else {
                    asked.shape = ShapeKind.allCases[generator.below(ShapeKind.allCases.count)]
                }
            }
        }
        let color = asked.color.rawValue
        let name = "\(SceneCaptions.article(color)) \(color) \(asked.shape.rawValue)"
        return make(
            "presence",
            ["Is there \(name)?", "Does the picture show \(name)?", "Can you see \(name) in the picture?"],
            facts.contains(asked) ? "yes" : "no", &generator)
    }

    private func countAll(_ generator: inout RandomGenerator) -> SceneQuestion? {
        make(
            "count",
            ["How many shapes are there?", "How many shapes are in the picture?", "What is the number of shapes?"],
            String(scene.objects.count), &generator)
    }

    private func countSome(_ generator: inout RandomGenerator) -> SceneQuestion? {
        // Something that is there three times out of four.
        let several = scene.objects.filter { facts.count(of: $0.shape) > 1 || facts.count(of: $0.color) > 1 }
        let object = pick(several.isEmpty || generator.below(2) == 0 ? scene.objects : several, &generator)
        let absent = generator.below(4) == 0
        if generator.below(2) == 0 {
            let shape =
                absent ? ShapeKind.allCases[generator.below(ShapeKind.allCases.count)] : object?.shape ?? .circle
            let name = shape.plural
            return make(
                "count", ["How many \(name) are there?", "How many \(name) are in the picture?", "Count the \(name)."],
                String(facts.count(of: shape)), &generator)
        }
        let color = absent ? ShapeColor.allCases[generator.below(ShapeColor.allCases.count)] : object?.color ?? .red
        let name = color.rawValue
        return make(
            "count",
            ["How many \(name) shapes are there?", "How many shapes are \(name)?", "Count the \(name) shapes."],
            String(facts.count(of: color)), &generator)
    }

    private func relation(_ generator: inout RandomGenerator) -> SceneQuestion? {
        guard let relation = pick(facts.relations, &generator) else { return nil }
        let holds = generator.below(2) == 0
        let (a, b) = holds ? (relation.first, relation.second) : (relation.second, relation.first)
        let (first, second) = (facts.name(a), facts.name(b))
        return make(
            "relation",
            [
                "Is the \(first) \(relation.words) the \(second)?",
                "Does the \(first) lie \(relation.words) the \(second)?",
            ],
            holds ? "yes" : "no", &generator)
    }

    private func neighbour(_ generator: inout RandomGenerator) -> SceneQuestion? {
        guard let object = pick(facts.singular, &generator) else { return nil }
        let directions = ["to the left of", "to the right of", "above", "below"]
        let answered = directions.compactMap { words in facts.only(words, object).map { (words, $0) } }
        guard let (words, other) = pick(answered, &generator) else { return nil }
        let name = facts.name(object)
        return make(
            "neighbour", ["What is \(words) the \(name)?", "Which shape is \(words) the \(name)?"],
            other.words(sized: false), &generator)
    }

    private func comparison(_ generator: inout RandomGenerator) -> SceneQuestion? {
        guard facts.singular.count >= 2 else { return nil }
        var pair = facts.singular
        generator.shuffle(&pair)
        if generator.below(2) == 0, let twin = pair.dropFirst().firstIndex(where: { $0.color == pair[0].color }) {
            pair.swapAt(1, twin)
        }
        let (a, b) = (facts.name(pair[0]), facts.name(pair[1]))
        if generator.below(2) == 0 {
            return make(
                "comparison",
                ["Do the \(a) and the \(b) have the same size?", "Are the \(a) and the \(b) equally large?"],
                pair[0].size == pair[1].size ? "yes" : "no", &generator)
        }
        return make(
            "comparison",
            ["Do the \(a) and the \(b) have the same color?", "Are the \(a) and the \(b) of one color?"],
            pair[0].color == pair[1].color ? "yes" : "no", &generator)
    }
}
