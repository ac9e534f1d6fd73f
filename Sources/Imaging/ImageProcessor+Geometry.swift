extension ImageProcessor {
    /// The way of one picture through padding, resizing and cropping.
    struct Plan: Equatable {
        /// Size and place of the picture on its padding; nil without padding.
        var canvas: (size: PixelSize, x: Int, y: Int)?
        /// The size after resizing.
        var resized: PixelSize
        /// The part of it that is the result; may reach beyond it.
        var window: (x: Int, y: Int, size: PixelSize)

        /// Whether the result lies within the resized picture.
        var windowIsInside: Bool {
            window.x >= 0 && window.y >= 0 && window.x + window.size.width <= resized.width
                && window.y + window.size.height <= resized.height
        }

        static func == (a: Plan, b: Plan) -> Bool {
            a.canvas?.size == b.canvas?.size && a.canvas?.x == b.canvas?.x && a.canvas?.y == b.canvas?.y
                && a.resized == b.resized && a.window.x == b.window.x && a.window.y == b.window.y
                && a.window.size == b.window.size
        }
    }

    /// The size that a picture of `size` pixels comes out with (for one tile).
    ///
    /// - Throws: `ImageError` when it would be larger than 65,535 pixels a side.
    public func outputSize(for size: PixelSize) throws(ImageError) -> PixelSize {
        if let fixed = fixedOutputSize { return fixed }
        return try plan(for: size).window.size
    }

    /// The size that every picture comes out with; nil when it depends on the picture.
    public var fixedOutputSize: PixelSize? {
        if let tile = tiling.tileSide { return PixelSize(square: tile) }
        if let centerCrop { return centerCrop }
        switch resize {
        case .exact(let size): return size
        case .shortestEdge(let edge) where padding != nil: return PixelSize(square: edge)
        default: return nil
        }
    }

    /// The most that the longer side of a picture may become before its middle is cut out.
    private static let longestSide = 1 << 28

    func plan(for size: PixelSize) throws(ImageError) -> Plan {
        var size = size
        let stored = size
        var canvas: (size: PixelSize, x: Int, y: Int)?
        if padding != nil, size.width != size.height {
            let side = max(size.width, size.height)
            canvas = (PixelSize(square: side), (side - size.width) / 2, (side - size.height) / 2)
            size = PixelSize(square: side)
        }
        var resized = size
        switch resize {
        case .exact(let target): resized = target
        case .shortestEdge(let edge):
            // Python's int(edge * long / short): one division, rounded to the nearest double and down.
            let short = min(size.width, size.height), long = max(size.width, size.height)
            let other = Int(Double(edge * long) / Double(short))
            guard other <= Self.longestSide else {
                throw ImageError(
                    .unsuitable, source: "a picture of \(stored) pixels",
                    detail: "it cannot be resized to \(edge) × \(other) pixels")
            }
            resized =
                size.width <= size.height
                ? PixelSize(width: edge, height: other) : PixelSize(width: other, height: edge)
        case nil: break
        }
        let source = "a picture of \(stored) pixels"
        guard let centerCrop else {
            try RGBImage.checkSide(resized, source: source)
            return Plan(canvas: canvas, resized: resized, window: (0, 0, resized))
        }
        let window = (
            x: Self.cropOrigin(resized.width, centerCrop.width), y: Self.cropOrigin(resized.height, centerCrop.height),
            size: centerCrop
        )
        let plan = Plan(canvas: canvas, resized: resized, window: window)
        // Of a very long picture only the middle is ever computed.
        if !plan.windowIsInside || filter == .nearest { try RGBImage.checkSide(resized, source: source) }
        return plan
    }

    /// Where a crop of `crop` pixels begins on a side of `side`: rounded down inside; a picture that is too small is
    /// padded by the rounded up half in front, as center_crop of transformers does.
    private static func cropOrigin(_ side: Int, _ crop: Int) -> Int {
        crop <= side ? (side - crop) / 2 : -((crop - side + 1) / 2)
    }
}
