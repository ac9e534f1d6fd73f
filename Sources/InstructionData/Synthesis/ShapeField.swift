#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Signed distance to a shape's edge in pixels, negative inside: what anti-aliasing is computed from.
///
/// The polygon's distance follows I. Quilez, "2D distance functions" (the nearest edge, its sign by crossings).
struct ShapeField {
    private let shape: ShapeKind
    private let radius: Double
    private let cosine: Double
    private let sine: Double
    private let corners: [(x: Double, y: Double)]

    /// - Parameter radius: of the circle around the shape, in pixels.
    init(_ shape: ShapeKind, radius: Double, rotation: Double) {
        self.shape = shape
        self.radius = radius
        cosine = cos(rotation)
        sine = sin(rotation)
        switch shape {
        case .triangle: corners = Self.polygon(points: 3, outer: radius, inner: nil)
        case .star: corners = Self.polygon(points: 5, outer: radius, inner: radius * 0.45)
        case .circle, .ring, .square, .cross: corners = []
        }
    }

    private static func polygon(points: Int, outer: Double, inner: Double?) -> [(x: Double, y: Double)] {
        let count = inner == nil ? points : points * 2
        return (0..<count).map { index in
            let angle = 2 * Double.pi * Double(index) / Double(count) - Double.pi / 2
            let length = inner != nil && index % 2 == 1 ? inner ?? outer : outer
            return (length * cos(angle), length * sin(angle))
        }
    }

    /// Distance at an offset from the centre.
    func distance(_ dx: Double, _ dy: Double) -> Double {
        let x = cosine * dx + sine * dy
        let y = cosine * dy - sine * dx
        switch shape {
        case .circle: return (x * x + y * y).squareRoot() - radius
        case .ring: return abs((x * x + y * y).squareRoot() - radius * 0.8) - radius * 0.2
        case .square: return Self.box(x, y, radius * 0.8, radius * 0.8)
        case .cross: return min(Self.box(x, y, radius, radius * 0.3), Self.box(x, y, radius * 0.3, radius))
        case .triangle, .star: return polygonDistance(x, y)
        }
    }

    private static func box(_ x: Double, _ y: Double, _ halfWidth: Double, _ halfHeight: Double) -> Double {
        let (dx, dy) = (abs(x) - halfWidth, abs(y) - halfHeight)
        let (ox, oy) = (max(dx, 0), max(dy, 0))
        return (ox * ox + oy * oy).squareRoot() + min(max(dx, dy), 0)
    }

    private func polygonDistance(_ x: Double, _ y: Double) -> Double {
        var nearest = Double.infinity
        var inside = false
        var previous = corners[corners.count - 1]
        for corner in corners {
            let (ex, ey) = (previous.x - corner.x, previous.y - corner.y)
            let (wx, wy) = (x - corner.x, y - corner.y)
            let along = min(1, max(0, (wx * ex + wy * ey) / (ex * ex + ey * ey)))
            let (bx, by) = (wx - ex * along, wy - ey * along)
            nearest = min(nearest, bx * bx + by * by)
            if (corner.y > y) != (previous.y > y),
                x < (previous.x - corner.x) * (y - corner.y) / (previous.y - corner.y) + corner.x
            {
                inside.toggle()
            }
            previous = corner
        }
        return inside ? -nearest.squareRoot() : nearest.squareRoot()
    }
}
