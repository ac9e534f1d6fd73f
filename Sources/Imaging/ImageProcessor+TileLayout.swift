extension ImageProcessor {
    /// How a picture of `size` pixels is cut.
    ///
    /// - Throws: `ImageError` when the numbers do not fit (a side of more than 65,535 pixels).
    public func tileLayout(for size: PixelSize) throws(ImageError) -> TileLayout {
        let (rows, columns, whole): (Int, Int, TileLayout.Whole)
        switch tiling {
        case .none: return TileLayout(rows: 0, columns: 0, whole: .only)
        case .anyResolution(let candidates, let tile, _):
            let best = Self.bestResolution(for: size, among: candidates)
            (rows, columns, whole) = (best.height / tile, best.width / tile, .first)
        case .splitting(let longestEdge, let tile, let splits):
            guard splits else { return TileLayout(rows: 0, columns: 0, whole: .only) }
            let fitted = Self.wholeTiles(Self.longestEdgeSize(size, longestEdge), tile)
            try RGBImage.checkSide(fitted, source: "a picture of \(size) pixels")
            (rows, columns, whole) = (fitted.height / tile, fitted.width / tile, .last)
        case .dynamic(let tile, let maximumSide, let upscales):
            let fitted = Self.dynamicSize(size, tile: tile, maximumSide: maximumSide, upscales: upscales)
            try RGBImage.checkSide(fitted, source: "a picture of \(size) pixels")
            (rows, columns, whole) = (fitted.height / tile, fitted.width / tile, .first)
        }
        // LLaVA-NeXT keeps a single tile beside the whole; the others do not.
        if case .anyResolution = tiling { return TileLayout(rows: rows, columns: columns, whole: whole) }
        return rows * columns == 1
            ? TileLayout(rows: 0, columns: 0, whole: .only) : TileLayout(rows: rows, columns: columns, whole: whole)
    }

    /// The candidate on which most of the picture's resolution is kept, and of those the smallest; the first of equals.
    /// (`select_best_resolution` of transformers.)
    static func bestResolution(for size: PixelSize, among candidates: [PixelSize]) -> PixelSize {
        var best = candidates[0], bestEffective = 0, leastWaste = Int.max
        for candidate in candidates {
            let scale = min(
                Double(candidate.width) / Double(size.width), Double(candidate.height) / Double(size.height))
            let scaled = Int(Double(size.width) * scale) * Int(Double(size.height) * scale)
            let effective = min(scaled, size.pixels), waste = candidate.pixels - effective
            if effective > bestEffective || (effective == bestEffective && waste < leastWaste) {
                (best, bestEffective, leastWaste) = (candidate, effective, waste)
            }
        }
        return best
    }

    /// The picture fitted inside `target`, the other side rounded up (`get_patch_output_size` of transformers).
    static func fitted(_ size: PixelSize, inside target: PixelSize) -> PixelSize {
        let scaleWidth = Double(target.width) / Double(size.width)
        let scaleHeight = Double(target.height) / Double(size.height)
        if scaleWidth < scaleHeight {
            let height = min(Int((Double(size.height) * scaleWidth).rounded(.up)), target.height)
            return PixelSize(width: target.width, height: height)
        }
        let width = min(Int((Double(size.width) * scaleHeight).rounded(.up)), target.width)
        return PixelSize(width: width, height: target.height)
    }

    /// The longer side to `edge` and the shorter down to an even number, then both at most 4,096 (Idefics3).
    static func longestEdgeSize(_ size: PixelSize, _ edge: Int) -> PixelSize {
        func scaled(_ size: PixelSize, to longer: Int, even: Bool) -> PixelSize {
            let ratio = Double(size.width) / Double(size.height)
            let isWide = size.width >= size.height
            var shorter = Int(isWide ? Double(longer) / ratio : Double(longer) * ratio)
            if even && shorter % 2 != 0 { shorter += 1 }
            shorter = max(shorter, 1)
            return isWide ? PixelSize(width: longer, height: shorter) : PixelSize(width: shorter, height: longer)
        }
        let first = scaled(size, to: edge, even: true), limit = 4_096
        return max(first.width, first.height) > limit ? scaled(first, to: limit, even: false) : first
    }

    /// Both sides up to whole tiles, the shorter one from the longer by the aspect ratio (Idefics3).
    static func wholeTiles(_ size: PixelSize, _ tile: Int) -> PixelSize {
        func up(_ side: Int) -> Int { (side + tile - 1) / tile * tile }
        let ratio = Double(size.width) / Double(size.height)
        if size.width >= size.height {
            let width = up(size.width)
            return PixelSize(width: width, height: up(Int(Double(width) / ratio)))
        }
        let height = up(size.height)
        return PixelSize(width: up(Int(Double(height) * ratio)), height: height)
    }

    /// The longer side up to whole tiles, at most `maximumSide`; the shorter scaled alike and up to whole tiles
    /// (`DynamicResize` of nanoVLM).
    static func dynamicSize(_ size: PixelSize, tile: Int, maximumSide: Int, upscales: Bool) -> PixelSize {
        let long = max(size.width, size.height), short = min(size.width, size.height)
        let targetLong = upscales ? maximumSide : min(maximumSide, (long + tile - 1) / tile * tile)
        let scale = Double(targetLong) / Double(long)
        let tiles = Int((Double(short) * scale / Double(tile)).rounded(.up))
        let targetShort = max(tiles * tile, tile)
        return size.width >= size.height
            ? PixelSize(width: targetLong, height: targetShort) : PixelSize(width: targetShort, height: targetLong)
    }
}
