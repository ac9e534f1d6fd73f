/// What is certainly true of a scene: names that point at one shape only, and relations with a clear margin.
struct SceneFacts {
    let scene: ShapeScene

    init(_ scene: ShapeScene) { self.scene = scene }

    /// Two shapes, the first to the left of, or above, the second.
    struct Relation {
        var first: ShapeObject
        var second: ShapeObject
        var words: String
    }

    func count(of shape: ShapeKind) -> Int { scene.objects.count { $0.shape == shape } }
    func count(of color: ShapeColor) -> Int { scene.objects.count { $0.color == color } }
    func contains(_ combination: ShapeCombination) -> Bool { scene.objects.contains { $0.combination == combination } }

    /// Shapes whose colour and kind no other one has.
    var singular: [ShapeObject] {
        scene.objects.filter { object in scene.objects.count { $0.combination == object.combination } == 1 }
    }

    /// The shortest name that only this shape has: by kind alone where that is enough.
    func name(_ object: ShapeObject) -> String {
        count(of: object.shape) == 1 ? object.shape.rawValue : object.words(sized: false)
    }

    /// Relations between shapes that can be named, each told in all four directions.
    var relations: [Relation] {
        var found: [Relation] = []
        for a in singular {
            for b in singular where a != b {
                if a.column < b.column, b.x - a.x > Self.margin {
                    found.append(Relation(first: a, second: b, words: "to the left of"))
                    found.append(Relation(first: b, second: a, words: "to the right of"))
                }
                if a.row < b.row, b.y - a.y > Self.margin {
                    found.append(Relation(first: a, second: b, words: "above"))
                    found.append(Relation(first: b, second: a, words: "below"))
                }
            }
        }
        return found
    }

    /// How much farther a centre must lie for a relation to hold, as a share of the side.
    private static let margin = 0.15

    /// The only shape in a direction from another, when there is exactly one and nothing is close to the limit.
    func only(_ words: String, _ object: ShapeObject) -> ShapeObject? {
        let others = scene.objects.filter { $0 != object }
        let offsets = others.map { other -> Double in
            switch words {
            case "to the left of": object.x - other.x
            case "to the right of": other.x - object.x
            case "above": object.y - other.y
            default: other.y - object.y
            }
        }
        guard offsets.allSatisfy({ $0 > Self.margin || $0 < 0.02 }), offsets.count(where: { $0 > Self.margin }) == 1,
            let index = offsets.firstIndex(where: { $0 > Self.margin })
        else { return nil }
        return others[index]
    }
}
