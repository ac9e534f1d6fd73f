extension ImageProcessor {
    /// The picture as the tiles of the processor's tiling; one tile without tiling.
    ///
    /// - Throws: `ImageError` when memory is out or a side would be longer than 65,535 pixels.
    public func tiles(of image: RGBImage) throws(ImageError) -> ImageTiles {
        let layout = try tileLayout(for: image.size)
        var values: [Float] = []
        let tileSize: PixelSize
        switch tiling {
        case .none:
            let planes = try process(image)
            (values, tileSize) = (planes.values, planes.size)
        case .anyResolution(let candidates, let tile, let base):
            let best = Self.bestResolution(for: image.size, among: candidates)
            let fitted = Self.fitted(image.size, inside: best)
            let padded = try image.resized(to: fitted, filter: filter).placed(
                on: best, x: (best.width - fitted.width) / 2, y: (best.height - fitted.height) / 2, colour: (0, 0, 0))
            // Each tile goes through the steps of a picture of its own; mostly it has the right size already.
            var single = self
            single.tiling = .none
            let whole = try single.process(try image.resized(to: base, filter: filter))
            values = whole.values
            for part in Self.cut(padded, tile) {
                let planes = try single.process(part)
                guard planes.size == whole.size else { throw Self.unequalTiles(image.size) }
                values += planes.values
            }
            tileSize = whole.size
        case .splitting(let longestEdge, let tile, let splits):
            tileSize = PixelSize(square: tile)
            let first = try image.resized(to: Self.longestEdgeSize(image.size, longestEdge), filter: filter)
            let fitted = splits ? try first.resized(to: Self.wholeTiles(first.size, tile), filter: filter) : first
            let parts = layout.whole == .only ? [] : Self.cut(fitted, tile)
            for part in parts + [try fitted.resized(to: tileSize, filter: filter)] { append(part, to: &values) }
        case .dynamic(let tile, let maximumSide, let upscales):
            tileSize = PixelSize(square: tile)
            let size = Self.dynamicSize(image.size, tile: tile, maximumSide: maximumSide, upscales: upscales)
            let fitted = try image.resized(to: size, filter: filter)
            if layout.whole != .only { values = wholeInFloats(fitted, tileSize) }
            for part in Self.cut(fitted, tile) { append(part, to: &values) }
        }
        return ImageTiles(layout: layout, tileSize: tileSize, imageSize: image.size, values: values)
    }

    /// Decodes a picture file and takes it through all steps, as the tiles of the processor's tiling. Without tiling, rows are
    /// resized as they are decoded where that is possible.
    ///
    /// - Throws: `ImageError`, as `ImageDecoder.decode` and ``tiles(of:)`` do.
    public func tiles(
        decoding bytes: UnsafeRawBufferPointer, source: String, options: DecodingOptions = DecodingOptions()
    ) throws(ImageError) -> ImageTiles {
        guard tiling == .none else {
            return try tiles(of: ImageDecoder.decode(bytes, source: source, options: options))
        }
        let planes = try process(decoding: bytes, source: source, options: options)
        return ImageTiles(
            layout: TileLayout(rows: 0, columns: 0, whole: .only), tileSize: planes.size,
            imageSize: try Self.pictureSize(bytes, source: source, options: options), values: planes.values)
    }

    /// The size of a picture file as ``tiles(decoding:source:options:)`` sees it, told by its header alone.
    ///
    /// - Throws: `ImageError` when the bytes are no picture.
    public static func pictureSize(
        _ bytes: UnsafeRawBufferPointer, source: String, options: DecodingOptions = DecodingOptions()
    ) throws(ImageError) -> PixelSize {
        let header = try ImageHeader(bytes: bytes, source: source)
        return options.appliesOrientation ? header.size : header.storedSize
    }

    private func append(_ image: RGBImage, to values: inout [Float]) {
        values += [Float](unsafeUninitializedCapacity: image.size.pixels * 3) { buffer, initialized in
            if let base = buffer.baseAddress { table.apply(to: image, into: base) }
            initialized = image.size.pixels * 3
        }
    }

    /// nanoVLM squeezes the whole after its conversion to floats, with torch's antialiased bilinear filter.
    private func wholeInFloats(_ image: RGBImage, _ target: PixelSize) -> [Float] {
        var planes: [Float] = []
        append(image, to: &planes)
        return (0..<3).flatMap { channel in
            FloatResampling.bilinear(
                Array(planes[(channel * image.size.pixels)..<((channel + 1) * image.size.pixels)]), from: image.size,
                to: target)
        }
    }

    private static func cut(_ image: RGBImage, _ tile: Int) -> [RGBImage] {
        stride(from: 0, to: image.height, by: tile).flatMap { y in
            stride(from: 0, to: image.width, by: tile).map { x in
                image.cropped(x: x, y: y, to: PixelSize(square: tile))
            }
        }
    }

    private static func unequalTiles(_ size: PixelSize) -> ImageError {
        ImageError(
            .unsuitable, source: "a picture of \(size) pixels", detail: "its tiles do not come out equal in size",
            fix: "give the processor a crop_size that is its size")
    }
}

/// Resizing one plane of floats with a triangle filter that widens when it shrinks, as
/// `torch.nn.functional.interpolate(mode: "bilinear", antialias: true)`: along rows, then along columns.
enum FloatResampling {
    static func bilinear(_ plane: [Float], from size: PixelSize, to target: PixelSize) -> [Float] {
        let columns = weights(size.width, target.width), rows = weights(size.height, target.height)
        var middle = [Float](repeating: 0, count: size.height * target.width)
        for y in 0..<size.height {
            for (x, taps) in columns.enumerated() {
                var sum: Float = 0
                for (index, weight) in taps.weights.enumerated() {
                    sum += plane[y * size.width + taps.first + index] * weight
                }
                middle[y * target.width + x] = sum
            }
        }
        var result = [Float](repeating: 0, count: target.pixels)
        for (y, taps) in rows.enumerated() {
            for x in 0..<target.width {
                var sum: Float = 0
                for (index, weight) in taps.weights.enumerated() {
                    sum += middle[(taps.first + index) * target.width + x] * weight
                }
                result[y * target.width + x] = sum
            }
        }
        return result
    }

    private static func weights(_ from: Int, _ to: Int) -> [(first: Int, weights: [Float])] {
        let scale = Double(from) / Double(to), support = max(scale, 1), inverse = 1 / support
        return (0..<to).map { index in
            let center = (Double(index) + 0.5) * scale
            let first = max(Int(center - support + 0.5), 0), last = min(Int(center + support + 0.5), from)
            let raw = (first..<last).map { max(0, 1 - abs((Double($0) - center + 0.5) * inverse)) }
            let sum = raw.reduce(0, +)
            return (first, raw.map { Float($0 / sum) })
        }
    }
}
