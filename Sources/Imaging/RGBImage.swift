internal import CImageCodecs

/// A picture in memory: 8-bit RGB, rows from the top, three bytes a pixel, no padding.
public struct RGBImage: Equatable, Sendable {
    /// Columns and rows.
    public let size: PixelSize
    /// `[height, width, 3]` bytes: R, G, B.
    public var pixels: [UInt8]

    /// Columns.
    public var width: Int { size.width }
    /// Rows.
    public var height: Int { size.height }

    /// A picture of pixels that exist; `pixels` has `width × height × 3` bytes.
    public init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(
            width > 0 && height > 0 && pixels.count == width * height * 3,
            "RGBImage: \(pixels.count) bytes for \(width)x\(height) pixels")
        self.size = PixelSize(width: width, height: height)
        self.pixels = pixels
    }

    /// A picture of one colour.
    public init(width: Int, height: Int, filledWith colour: (red: UInt8, green: UInt8, blue: UInt8)) {
        let size = PixelSize(width: width, height: height)
        self.init(size: size) { buffer in
            for index in stride(from: 0, to: buffer.count, by: 3) {
                buffer[index] = colour.red
                buffer[index + 1] = colour.green
                buffer[index + 2] = colour.blue
            }
        }
    }

    /// A picture whose bytes `fill` writes, all of them.
    init<Failure: Error>(
        size: PixelSize, fill: (UnsafeMutableBufferPointer<UInt8>) throws(Failure) -> Void
    ) throws(Failure) {
        precondition(size.width > 0 && size.height > 0, "RGBImage: a picture of \(size) pixels")
        let count = size.pixels * 3
        // The array's initializer does not forward typed errors, so the error is carried out by hand.
        var failure: Failure?
        let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            do throws(Failure) {
                try fill(UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
                initialized = count
            } catch {
                failure = error
                initialized = 0
            }
        }
        if let failure { throw failure }
        self.size = size
        self.pixels = pixels
    }

    /// The colour at column `x` of row `y`.
    public subscript(x: Int, y: Int) -> (red: UInt8, green: UInt8, blue: UInt8) {
        get {
            let index = offset(x, y)
            return (pixels[index], pixels[index + 1], pixels[index + 2])
        }
        set {
            let index = offset(x, y)
            pixels[index] = newValue.red
            pixels[index + 1] = newValue.green
            pixels[index + 2] = newValue.blue
        }
    }

    private func offset(_ x: Int, _ y: Int) -> Int {
        precondition(x >= 0 && x < width && y >= 0 && y < height, "RGBImage: pixel \(x), \(y) of \(size)")
        return (y * width + x) * 3
    }
}

extension RGBImage {
    /// The picture turned and mirrored to how it is meant to be seen.
    public func oriented(_ orientation: Orientation) -> RGBImage {
        guard orientation != .upright else { return self }
        return RGBImage(size: orientation.exchangesSides ? size.transposed : size) { out in
            pixels.withUnsafeBufferPointer { bytes in
                vitrail_apply_orientation(
                    bytes.baseAddress!, UInt32(width), UInt32(height), Int32(orientation.rawValue), out.baseAddress!)
            }
        }
    }

    /// The part of the picture from column `x` and row `y`; what lies outside is black.
    func cropped(x: Int, y: Int, to target: PixelSize) -> RGBImage {
        let left = max(0, x), right = min(width, x + target.width)
        return RGBImage(size: target) { out in
            for row in 0..<target.height {
                let line = UnsafeMutableBufferPointer(
                    rebasing: out[(row * target.width * 3)..<((row + 1) * target.width * 3)])
                let from = y + row
                guard from >= 0, from < height, left < right else {
                    line.update(repeating: 0)
                    continue
                }
                line[..<((left - x) * 3)].update(repeating: 0)
                line[((right - x) * 3)...].update(repeating: 0)
                _ = line[((left - x) * 3)..<((right - x) * 3)].update(
                    fromContentsOf: pixels[((from * width + left) * 3)..<((from * width + right) * 3)])
            }
        }
    }

    /// The picture on a canvas of one colour, its top left corner at column `x` and row `y` (both at least 0).
    func placed(on canvas: PixelSize, x: Int, y: Int, colour: (red: UInt8, green: UInt8, blue: UInt8)) -> RGBImage {
        precondition(
            x >= 0 && y >= 0 && x + width <= canvas.width && y + height <= canvas.height,
            "placed: \(size) at \(x), \(y) of \(canvas)")
        var result = RGBImage(width: canvas.width, height: canvas.height, filledWith: colour)
        for row in 0..<height {
            let to = ((y + row) * canvas.width + x) * 3
            result.pixels.replaceSubrange(
                to..<(to + width * 3), with: pixels[(row * width * 3)..<((row + 1) * width * 3)])
        }
        return result
    }
}
