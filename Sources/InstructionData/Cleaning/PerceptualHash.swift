public import Imaging

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// 64 bits that stay nearly the same when a picture is scaled, compressed or brightened.
///
/// The hash `phash` of the Python package `imagehash`: gray, 32×32 by Lanczos, cosine transform, the lowest 8×8
/// frequencies against their median.
public struct PerceptualHash: Sendable, Equatable, Hashable, CustomStringConvertible {
    /// The bits, the lowest frequency in the highest bit.
    public let bits: UInt64

    /// A hash that was computed before.
    public init(bits: UInt64) { self.bits = bits }

    private static let side = 32
    private static let kept = 8

    /// Cosines of the type II transform, `[frequency][position]`.
    private static let cosines: [Double] = (0..<kept).flatMap { frequency in
        (0..<side).map { position in
            2 * cos(.pi * Double(frequency) * (2 * Double(position) + 1) / Double(2 * side))
        }
    }

    /// The hash of a picture.
    /// - Throws: `ImageError` when memory is out.
    public init(_ image: RGBImage) throws {
        var gray = image
        for index in stride(from: 0, to: gray.pixels.count, by: 3) {
            // Pillow's conversion to L, in 16 bits of fraction.
            let sum =
                UInt32(gray.pixels[index]) * 19_595 + UInt32(gray.pixels[index + 1]) * 38_470
                + UInt32(gray.pixels[index + 2]) * 7_471 + 0x8000
            let value = UInt8(truncatingIfNeeded: sum >> 16)
            (gray.pixels[index], gray.pixels[index + 1], gray.pixels[index + 2]) = (value, value, value)
        }
        let small = try gray.resized(to: PixelSize(width: Self.side, height: Self.side), filter: .lanczos)
        // Columns first, as the package does; only the kept frequencies.
        var columns = [Double](repeating: 0, count: Self.kept * Self.side)
        for frequency in 0..<Self.kept {
            for x in 0..<Self.side {
                var sum = 0.0
                for y in 0..<Self.side {
                    sum += Self.cosines[frequency * Self.side + y] * Double(small.pixels[(y * Self.side + x) * 3])
                }
                columns[frequency * Self.side + x] = sum
            }
        }
        var low = [Double](repeating: 0, count: Self.kept * Self.kept)
        for row in 0..<Self.kept {
            for frequency in 0..<Self.kept {
                var sum = 0.0
                for x in 0..<Self.side {
                    sum += Self.cosines[frequency * Self.side + x] * columns[row * Self.side + x]
                }
                low[row * Self.kept + frequency] = sum
            }
        }
        let sorted = low.sorted()
        let median = (sorted[31] + sorted[32]) / 2
        bits = low.reduce(0) { $0 << 1 | ($1 > median ? 1 : 0) }
    }

    /// In how many of the 64 bits two hashes differ; up to about 8 for versions of one picture, 32 for strangers.
    public func distance(to other: PerceptualHash) -> Int { (bits ^ other.bits).nonzeroBitCount }

    /// Sixteen hexadecimal digits, as the package prints it.
    public var description: String {
        let digits = String(bits, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}

/// Hashes within a distance of a given one, without comparing with all of them.
///
/// Two hashes that differ in at most `r` bits agree in one of `r + 1` stretches (the pigeonhole principle).
struct HashNeighbours: Sendable {
    private let radius: Int
    private let stretches: [(shift: UInt64, mask: UInt64)]
    private var table = BandTable(capacity: 1024)
    private var hashes: [UInt64] = []

    init(radius: Int) {
        self.radius = radius
        let count = min(radius + 1, 64)
        stretches = (0..<count).map { index in
            let (start, end) = (index * 64 / count, (index + 1) * 64 / count)
            return (UInt64(start), end - start == 64 ? .max : (1 << UInt64(end - start)) - 1)
        }
    }

    /// The first hash that was inserted within the radius, by its number.
    func nearest(to hash: PerceptualHash) -> Int? {
        var best: Int?
        for (index, stretch) in stretches.enumerated() {
            table.forEach(key(hash.bits, index, stretch)) { candidate in
                let number = Int(candidate)
                if number < best ?? .max, (hashes[number] ^ hash.bits).nonzeroBitCount <= radius { best = number }
            }
        }
        return best
    }

    /// Adds a hash; it gets the next number.
    mutating func insert(_ hash: PerceptualHash) {
        let number = UInt32(hashes.count)
        hashes.append(hash.bits)
        for (index, stretch) in stretches.enumerated() { table.insert(number, key: key(hash.bits, index, stretch)) }
    }

    private func key(_ bits: UInt64, _ index: Int, _ stretch: (shift: UInt64, mask: UInt64)) -> UInt64 {
        RandomStream.mixed(UInt64(index), (bits >> stretch.shift) & stretch.mask)
    }
}
