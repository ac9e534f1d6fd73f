import Basics
import Imaging

/// Draws scenes: a dull ground from dark to pale with slope, clutter and noise, and shapes with smooth edges on it.
struct ScenePainter: Sendable {
    /// Side of the square picture in pixels.
    var side: Int

    /// The picture of a scene; ground and noise come from the generator.
    func paint(_ scene: ShapeScene, generator: inout RandomGenerator) -> RGBImage {
        var canvas = ground(of: scene, generator: &generator)
        clutter(&canvas, generator: &generator)
        for object in scene.objects { draw(object, on: &canvas) }
        let noise = 1 + generator.uniform() * 5
        var bytes = [UInt8](repeating: 0, count: canvas.count)
        for index in canvas.indices {
            let value = canvas[index] + (generator.uniform() - 0.5) * 2 * noise
            bytes[index] = UInt8(min(255, max(0, value.rounded())))
        }
        return RGBImage(width: side, height: side, pixels: bytes)
    }

    /// A ground from dark to pale that no shape of the scene vanishes on, brighter towards one side.
    private func ground(of scene: ShapeScene, generator: inout RandomGenerator) -> [Double] {
        var color: [Double]
        repeat {
            let level = 30 + generator.uniform() * 205
            color = (0..<3).map { _ in level + (generator.uniform() - 0.5) * 30 }
        } while scene.objects.contains { !Self.isDistinct($0, on: color) }
        let slope = (x: (generator.uniform() - 0.5) * 30, y: (generator.uniform() - 0.5) * 30)
        var canvas = [Double](repeating: 0, count: side * side * 3)
        for y in 0..<side {
            for x in 0..<side {
                let shade =
                    slope.x * (Double(x) / Double(side) - 0.5) + slope.y * (Double(y) / Double(side) - 0.5)
                for channel in 0..<3 { canvas[(y * side + x) * 3 + channel] = color[channel] + shade }
            }
        }
        return canvas
    }

    /// Whether a shape stands out: at least one channel differs by more than slope, clutter and noise take away.
    private static func isDistinct(_ object: ShapeObject, on ground: [Double]) -> Bool {
        let paint = [object.paint.red, object.paint.green, object.paint.blue]
        return zip(paint, ground).contains { abs($0 - $1) > 70 }
    }

    /// Strokes and specks a pixel wide, too thin to be taken for a shape.
    private func clutter(_ canvas: inout [Double], generator: inout RandomGenerator) {
        for _ in 0..<generator.below(7) {
            let strength = (generator.uniform() < 0.5 ? -1 : 1) * (8 + generator.uniform() * 8)
            var x = generator.uniform() * Double(side)
            var y = generator.uniform() * Double(side)
            let (dx, dy) = (generator.uniform() - 0.5, generator.uniform() - 0.5)
            for _ in 0..<(1 + generator.below(max(1, side / 3))) {
                let (column, row) = (Int(x), Int(y))
                guard column >= 0, row >= 0, column < side, row < side else { break }
                for channel in 0..<3 { canvas[(row * side + column) * 3 + channel] += strength }
                x += dx
                y += dy
            }
        }
    }

    private func draw(_ object: ShapeObject, on canvas: inout [Double]) {
        let scale = Double(side)
        let (centreX, centreY, radius) = (object.x * scale, object.y * scale, object.radius * scale)
        let field = ShapeField(object.shape, radius: radius, rotation: object.rotation)
        let reach = radius * 1.15 + 1
        func span(_ centre: Double) -> ClosedRange<Int> {
            max(0, Int(centre - reach))...min(side - 1, Int(centre + reach))
        }
        let paint = [object.paint.red, object.paint.green, object.paint.blue]
        for y in span(centreY) {
            for x in span(centreX) {
                let distance = field.distance(Double(x) + 0.5 - centreX, Double(y) + 0.5 - centreY)
                let cover = min(1, max(0, 0.5 - distance))
                guard cover > 0 else { continue }
                for channel in 0..<3 {
                    let index = (y * side + x) * 3 + channel
                    canvas[index] += (paint[channel] - canvas[index]) * cover
                }
            }
        }
    }
}
