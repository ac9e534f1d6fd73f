/// Width and height of a picture in pixels.
public struct PixelSize: Equatable, Hashable, Sendable, CustomStringConvertible {
    /// Columns.
    public var width: Int
    /// Rows.
    public var height: Int

    /// A size of `width` columns and `height` rows.
    public init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    /// A square with sides of `side` pixels.
    public init(square side: Int) {
        self.init(width: side, height: side)
    }

    /// `width × height`.
    public var pixels: Int { width * height }

    /// `640x480`.
    public var description: String { "\(width)x\(height)" }

    /// Width and height exchanged.
    var transposed: PixelSize { PixelSize(width: height, height: width) }
}
