/// The shapes of the synthetic world.
public enum ShapeKind: String, CaseIterable, Sendable {
    case circle, square, triangle, star, ring, cross

    /// The word for several of them.
    var plural: String { self == .cross ? "crosses" : rawValue + "s" }
}

/// The colours of the synthetic world, far enough apart to be told at 64×64 pixels.
public enum ShapeColor: String, CaseIterable, Sendable {
    case red, green, blue, yellow, purple, orange, black, white

    /// Middle of the range that the colour is drawn from, R G B.
    var components: (Double, Double, Double) {
        switch self {
        case .red: (214, 40, 40)
        case .green: (36, 158, 66)
        case .blue: (42, 82, 216)
        case .yellow: (240, 214, 44)
        case .purple: (140, 48, 172)
        case .orange: (244, 130, 30)
        case .black: (20, 20, 20)
        case .white: (244, 244, 244)
        }
    }
}

/// The two sizes, with a gap between them.
public enum ShapeSize: String, CaseIterable, Sendable {
    case small, large

    /// Radius of the circle around the shape, as a share of the picture's side.
    var radius: ClosedRange<Double> { self == .small ? 0.1...0.125 : 0.17...0.2 }
}

/// A shape of a colour.
public struct ShapeCombination: Hashable, Sendable {
    /// The shape.
    public var shape: ShapeKind
    /// Its colour.
    public var color: ShapeColor

    /// All 48, shapes first.
    static let all: [ShapeCombination] = ShapeKind.allCases.flatMap { shape in
        ShapeColor.allCases.map { ShapeCombination(shape: shape, color: $0) }
    }

    /// Six combinations that are never in `train`, `val` and `test`: one of each shape, each of another colour.
    ///
    /// Their shapes and colours are known from other combinations; `novel` asks whether a model puts them together.
    public static let heldOut: [ShapeCombination] = ShapeKind.allCases.enumerated().map { index, shape in
        ShapeCombination(shape: shape, color: ShapeColor.allCases[(3 * index + 1) % ShapeColor.allCases.count])
    }

    static let seen: [ShapeCombination] = all.filter { !heldOut.contains($0) }
}

/// Places a shape can be at: three rows of three.
enum ShapeCell {
    static let columns = ["left", "center", "right"]
    static let rows = ["top", "middle", "bottom"]

    /// `top left`, `top`, `left`, `center` and so on.
    static func name(column: Int, row: Int) -> String {
        switch (column, row) {
        case (1, 1): "center"
        case (1, _): rows[row]
        case (_, 1): columns[column]
        default: rows[row] + " " + columns[column]
        }
    }

    /// Range of a shape's centre along one side, as a share of it; the ranges lie well apart.
    static func range(of index: Int, radius: Double) -> ClosedRange<Double> {
        switch index {
        case 0: (radius + 0.02)...0.34
        case 1: 0.46...0.54
        default: 0.66...(0.98 - radius)
        }
    }
}
