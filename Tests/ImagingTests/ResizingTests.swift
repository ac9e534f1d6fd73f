import Basics
import Imaging
import Testing

struct ResizingTests {
    static let expectations = TestPicture.entries("resizes.json")

    /// Every set of loops that this processor has gives Pillow's bytes.
    @Test(arguments: expectations)
    func bytesAreThoseOfPillow(_ entry: FixtureEntry) throws {
        let from = entry.ints("from"), to = entry.ints("to")
        let filter = try #require(ResampleFilter.allCases.first { $0.name == entry.string("filter") })
        let image = TestPicture.drawn(from[0], from[1]), target = PixelSize(width: to[0], height: to[1])
        var tried = 0
        for kernels in 0...3 {
            // This processor may lack some of the vector loops.
            guard let resized = try? image.resized(to: target, filter: filter, kernels: kernels) else { continue }
            #expect(resized.digest == entry.string("sha256"), "loops \(kernels)")
            tried += 1
        }
        #expect(tried >= 2)
    }

    @Test
    func thereAreExpectations() {
        #expect(Self.expectations.count >= 60)
    }

    /// Random sizes against sums in double: at most one level from it, as each pass rounds.
    @Test(arguments: 0..<40)
    func isCloseToSumsInDouble(_ seed: Int) throws {
        var random = RandomGenerator(seed: UInt64(seed))
        let width = 1 + random.below(40), height = 1 + random.below(40)
        let target = PixelSize(width: 1 + random.below(40), height: 1 + random.below(40))
        let pixels = (0..<(width * height * 3)).map { _ in UInt8(random.below(256)) }
        let image = RGBImage(width: width, height: height, pixels: pixels)
        let resized = try image.resized(to: target, filter: .bilinear)
        let columns = Self.triangle(width, target.width), rows = Self.triangle(height, target.height)
        for y in 0..<target.height {
            for x in 0..<target.width {
                var sum = 0.0
                for (row, rowWeight) in rows[y] {
                    for (column, weight) in columns[x] {
                        sum += rowWeight * weight * Double(image[column, row].green)
                    }
                }
                #expect(abs(sum - Double(resized[x, y].green)) <= 1.01)
            }
        }
    }

    private static func triangle(_ from: Int, _ to: Int) -> [[(Int, Double)]] {
        let scale = Double(from) / Double(to), support = max(1, scale)
        return (0..<to).map { index in
            let center = (Double(index) + 0.5) * scale
            let raw = (0..<from).map { ($0, max(0, 1 - abs(Double($0) + 0.5 - center) / support)) }
            let sum = raw.reduce(0) { $0 + $1.1 }
            return raw.map { ($0.0, $0.1 / sum) }.filter { $0.1 > 0 }
        }
    }
}
