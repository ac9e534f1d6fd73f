import Basics

/// One shape of a scene.
struct ShapeObject: Sendable, Equatable {
    var shape: ShapeKind
    var color: ShapeColor
    var size: ShapeSize
    /// Which third of the width and height its centre is in, 0 to 2.
    var column: Int
    var row: Int
    /// Centre and radius, as a share of the picture's side.
    var x: Double
    var y: Double
    var radius: Double
    /// Turn in radians, small enough that a square stays one.
    var rotation: Double
    /// The drawn colour, R G B from 0 to 255.
    var paint: (red: Double, green: Double, blue: Double)

    var combination: ShapeCombination { ShapeCombination(shape: shape, color: color) }
    var place: String { ShapeCell.name(column: column, row: row) }

    static func == (a: ShapeObject, b: ShapeObject) -> Bool {
        a.combination == b.combination && a.size == b.size && a.x == b.x && a.y == b.y
    }

    /// The words for it; with its size when asked.
    func words(sized: Bool) -> String { (sized ? size.rawValue + " " : "") + "\(color.rawValue) \(shape.rawValue)" }
}

/// What a picture shows: everything that captions and answers are made from.
struct ShapeScene: Sendable {
    /// Shapes in reading order of columns: from left to right, then from top to bottom.
    var objects: [ShapeObject]

    /// Which combinations a scene may hold.
    enum Palette: Sendable {
        /// Everything but the held-out ones.
        case seen
        /// At least one held-out combination.
        case novel
    }

    /// Draws a scene: one to `most` shapes, at most four, that don't touch, each in a cell of its own.
    init(palette: Palette, most: Int = 4, generator: inout RandomGenerator) {
        let share = generator.uniform()
        let count = min(most, share < 0.3 ? 1 : share < 0.6 ? 2 : share < 0.85 ? 3 : 4)
        var objects: [ShapeObject] = []
        while objects.count < count {
            let onlyHeldOut = palette == .novel && objects.isEmpty
            let choices =
                switch palette {
                case .seen: ShapeCombination.seen
                case .novel: onlyHeldOut ? ShapeCombination.heldOut : ShapeCombination.all
                }
            var combination = choices[generator.below(choices.count)]
            // Shapes and colours come together more often than by chance: names and counts then need a closer look.
            if let other = objects.last, generator.below(5) < 2 {
                var alike = combination
                if generator.below(2) == 0 { alike.color = other.color } else { alike.shape = other.shape }
                if choices.contains(alike) { combination = alike }
            }
            // A full scene has no room for another large shape: after some tries begin again.
            var placed = false
            for _ in 0..<20 where !placed {
                let object = ShapeObject(combination, generator: &generator)
                if objects.allSatisfy({ $0.isClear(of: object) }) {
                    objects.append(object)
                    placed = true
                }
            }
            if !placed { objects = [] }
        }
        self.objects = objects.sorted { ($0.column, $0.row, $0.x) < ($1.column, $1.row, $1.x) }
    }
}

extension ShapeObject {
    fileprivate init(_ combination: ShapeCombination, generator: inout RandomGenerator) {
        func between(_ range: ClosedRange<Double>) -> Double {
            range.lowerBound + generator.uniform() * (range.upperBound - range.lowerBound)
        }
        shape = combination.shape
        color = combination.color
        size = generator.below(2) == 0 ? .small : .large
        radius = between(size.radius)
        column = generator.below(3)
        row = generator.below(3)
        x = between(ShapeCell.range(of: column, radius: radius))
        y = between(ShapeCell.range(of: row, radius: radius))
        rotation = between(-0.2...0.2)
        let base = combination.color.components
        func varied(_ value: Double) -> Double { min(255, max(0, value + between(-10...10))) }
        paint = (varied(base.0), varied(base.1), varied(base.2))
    }

    /// Whether two shapes lie in different cells with a gap between them.
    fileprivate func isClear(of other: ShapeObject) -> Bool {
        let (dx, dy) = (x - other.x, y - other.y)
        let reach = (radius + other.radius) * 1.05 + 0.03
        return (column != other.column || row != other.row) && dx * dx + dy * dy > reach * reach
    }
}
