/// How one picture becomes several tiles.
public enum Tiling: Equatable, Sendable {
    /// One picture, one tile.
    case none
    /// LLaVA-NeXT (`anyres`): the whole picture squeezed to one tile, then the picture fitted on the best of these sizes,
    /// padded with black, and cut into tiles row by row. `tile` is the side of a tile, `base` the size of the squeezed
    /// whole.
    case anyResolution(candidates: [PixelSize], tile: Int, base: PixelSize)
    /// Idefics3 and SmolVLM: the longer side brought to `longestEdge`, both sides up to whole tiles, cut row by row, and
    /// the whole squeezed to one tile behind them. A picture of one tile stays alone. With `splits` false the whole is
    /// squeezed to one tile.
    case splitting(longestEdge: Int, tile: Int, splits: Bool)
    /// nanoVLM: both sides up to whole tiles but the longer one at most `maximumSide` (or exactly, when `upscales`), the
    /// whole squeezed to one tile in front of the tiles. A picture of one tile stays alone.
    case dynamic(tile: Int, maximumSide: Int, upscales: Bool)

    /// The side of a tile; nil without tiling.
    public var tileSide: Int? {
        switch self {
        case .none: nil
        case .anyResolution(_, let tile, _): tile
        case .splitting(_, let tile, _): tile
        case .dynamic(let tile, _, _): tile
        }
    }
}

/// How many tiles a picture becomes and how they lie; follows from the picture's size alone.
public struct TileLayout: Equatable, Sendable {
    /// Rows of tiles; 0 when the picture is not cut.
    public var rows: Int
    /// Columns of tiles; 0 when the picture is not cut.
    public var columns: Int
    /// Whether the whole picture squeezed to one tile is there too, and where.
    public var whole: Whole

    /// Where the whole picture stands among the tiles.
    public enum Whole: Sendable {
        /// It is the only tile.
        case only
        /// Before the first tile (LLaVA-NeXT, nanoVLM).
        case first
        /// Behind the last tile (Idefics3, SmolVLM).
        case last
    }

    /// Tiles in all.
    public var count: Int { rows * columns + 1 }
}

/// A picture as several tiles.
public struct ImageTiles: Equatable, Sendable {
    /// How the tiles lie.
    public let layout: TileLayout
    /// Columns and rows of each tile.
    public let tileSize: PixelSize
    /// The size of the picture before it was cut, which LLaVA-NeXT needs for taking the padding away again.
    public let imageSize: PixelSize
    /// `[count, 3, height, width]`, tiles in the order in which their tokens follow.
    public var values: [Float]
}
