internal import CImageCodecs

/// A picture as a vision tower takes it.
public struct PixelPlanes: Equatable, Sendable {
    /// Columns and rows.
    public let size: PixelSize
    /// `[3, height, width]`: planes R, G, B.
    public var values: [Float]
}

/// The float of each byte value: `[3, 256]`. All that follows resizing depends on one byte only.
struct PixelTable: Sendable {
    let values: [Float]

    init(rescaleFactor: Double?, normalization: ImageProcessor.Normalization?) {
        values = (0..<3).flatMap { channel in
            (0..<256).map { byte in
                var value = Float(byte)
                if let rescaleFactor { value = Float(Double(byte) * rescaleFactor) }
                if let normalization {
                    value =
                        (value - Float(normalization.mean[channel])) / Float(normalization.standardDeviation[channel])
                }
                return value
            }
        }
    }

    /// Writes all pixels of `image` to planes `[3, height, width]`.
    func apply(to image: RGBImage, into out: UnsafeMutablePointer<Float>) {
        image.pixels.withUnsafeBufferPointer { pixels in
            guard let base = pixels.baseAddress else { return }
            vitrail_planes_from_rgb(
                base, image.width * 3, UInt32(image.width), UInt32(image.height), values, out)
        }
    }
}
