public import Imaging
public import Tokenization

/// How pictures become tiles, and how the tiles' visual tokens stand in the text: what processor, network and tokenizer of a
/// model must agree on.
public struct PictureLayout: Sendable {
    /// Pixels high of a processed picture or tile.
    public let height: Int
    /// Pixels wide of a processed picture or tile.
    public let width: Int
    /// The id that stands for every visual token in rendered text.
    public let imageTokenID: Int32
    /// Visual tokens of a processed picture or tile.
    public let tokensPerTile: Int

    /// Patches of a tile, rows and columns.
    let grid: (rows: Int, columns: Int)
    let style: ModelLayout
    let processor: ImageProcessor
    let tokenizer: Tokenizer
    /// nanoVLM's names of its tokens.
    let names: [String: String]

    /// A layout of pictures or tiles of a processor's size.
    ///
    /// - Parameters:
    ///   - grid: patches of a tile, rows and columns.
    ///   - style: the family whose way of writing pictures it is.
    ///   - names: nanoVLM's names of its tokens.
    package init(
        processor: ImageProcessor, tokenizer: Tokenizer, imageTokenID: Int32, tokensPerTile: Int,
        grid: (rows: Int, columns: Int), style: ModelLayout, names: [String: String] = [:]
    ) {
        height = processor.outputHeight
        width = processor.outputWidth
        self.imageTokenID = imageTokenID
        self.tokensPerTile = tokensPerTile
        self.grid = grid
        self.style = style
        self.processor = processor
        self.tokenizer = tokenizer
        self.names = names
    }

    /// Whether the tokens of a picture follow from its size.
    public var dependsOnSize: Bool { processor.tiling != .none }

    /// The tokens that stand for a picture.
    ///
    /// - Parameters:
    ///   - size: the picture's size before processing; any when ``dependsOnSize`` is false.
    ///   - index: the picture's number in its conversation, of `count`.
    /// - Throws: `ImageError` when tiles of the picture would be too large.
    public func tokens(for size: PixelSize, index: Int = 0, of count: Int = 1) throws -> ImageTokens {
        switch style {
        case .decoder, .llava, .paliGemma: return ImageTokens(count: tokensPerTile, id: imageTokenID)
        case .llavaNext: return ImageTokens(count: try sources(for: size).count, id: imageTokenID)
        case .idefics3, .smolVLM: return ImageTokens(ids: splitIDs(try processor.tileLayout(for: size)))
        case .nanoVLM: return ImageTokens(ids: nanoIDs(try processor.tileLayout(for: size), index: index, of: count))
        }
    }

    /// Which projected patch stands at each place of a picture, −1 for the line end, counted from the picture's first tile; nil
    /// for all patches in order.
    public func order(for size: PixelSize) throws -> [Int32]? {
        style == .llavaNext ? try sources(for: size) : nil
    }

    // MARK: Idefics3 and SmolVLM

    private func splitIDs(_ layout: TileLayout) -> [Int32] {
        let around = ids("<fake_token_around_image>")
        let patches = [Int32](repeating: imageTokenID, count: tokensPerTile)
        let whole = around + ids("<global-img>") + patches + around
        guard layout.rows > 0 else { return whole }
        var result: [Int32] = []
        for row in 1...layout.rows {
            for column in 1...layout.columns { result += around + ids("<row_\(row)_col_\(column)>") + patches }
            // The last row's line end and the empty line in front of the whole are one text.
            result += tokenizer.encode(row == layout.rows ? "\n\n" : "\n", at: .afterSpecialToken)
        }
        return result + whole
    }

    // MARK: nanoVLM

    private func nanoIDs(_ layout: TileLayout, index: Int, of count: Int) -> [Int32] {
        let patches = [Int32](repeating: imageTokenID, count: tokensPerTile)
        var result: [Int32] = []
        if count > 1 { result += tokenizer.encode("<image: \(index)>", at: .afterSpecialToken) }
        if let global = names["global_image_token"] { result += ids(global) }
        result += patches
        guard layout.rows > 0 else { return result }
        for row in 1...layout.rows {
            for column in 1...layout.columns {
                result += ids(names["r\(row)c\(column)"] ?? "<row_\(row)_col_\(column)>") + patches
            }
        }
        return result
    }

    /// A token of the vocabulary, or the text of that spelling.
    private func ids(_ token: String) -> [Int32] {
        tokenizer.id(token).map { [$0] } ?? tokenizer.encode(token, at: .afterSpecialToken)
    }

    // MARK: LLaVA-NeXT

    /// The whole picture's patches, then the tiles' as one picture, row by row, without the padding and with a line end behind
    /// each row (`pack_image_features` and `unpad_image` of transformers).
    private func sources(for size: PixelSize) throws -> [Int32] {
        let layout = try processor.tileLayout(for: size)
        let whole = (0..<Int32(tokensPerTile)).map { $0 }
        guard layout.rows > 0 else { return whole + [-1] }
        var rows = 0..<layout.rows * grid.rows
        var columns = 0..<layout.columns * grid.columns
        let ratio = Double(size.width) / Double(size.height)
        if ratio > Double(columns.count) / Double(rows.count) {
            let scale = Double(columns.count) / Double(size.width)
            let padding = (rows.count - Self.floored(Double(size.height) * scale)) / 2
            rows = padding..<rows.count - padding
        } else {
            let scale = Double(rows.count) / Double(size.height)
            let padding = (columns.count - Self.floored(Double(size.width) * scale)) / 2
            columns = padding..<columns.count - padding
        }
        var result = whole
        result.reserveCapacity(whole.count + rows.count * (columns.count + 1))
        for row in rows {
            for column in columns {
                let tile = 1 + row / grid.rows * layout.columns + column / grid.columns
                result.append(
                    Int32(tile * tokensPerTile + row % grid.rows * grid.columns + column % grid.columns))
            }
            result.append(-1)
        }
        return result
    }

    /// Rounded to seven digits first, then down, as the peers do.
    private static func floored(_ value: Double) -> Int { Int((value * 1e7).rounded() / 1e7) }
}

/// Collects the pictures of a batch for the tower.
public struct PictureCollector {
    private let layout: PictureLayout
    private var pixels: [Float] = []
    private var rows: [Int32] = []
    private var sources: [Int32]?
    private var count = 0

    /// A collector for a model's pictures.
    public init(_ layout: PictureLayout) {
        self.layout = layout
    }

    /// Takes a picture: its tiles' pixels, and the ids of the batch in which its placeholders become −1.
    ///
    /// - Parameters:
    ///   - size: the picture's size before processing.
    ///   - span: the picture's tokens in `ids`.
    /// - Throws: `ImageError` for a size that the processor cannot take.
    public mutating func add(
        _ values: some Collection<Float>, size: PixelSize, span: Range<Int>, in ids: inout [Int32]
    ) throws {
        for place in span where ids[place] == layout.imageTokenID {
            ids[place] = -1
            rows.append(Int32(place))
        }
        if let order = try layout.order(for: size) {
            let first = Int32(count * layout.tokensPerTile)
            sources = (sources ?? []) + order.map { $0 < 0 ? -1 : $0 + first }
        }
        if pixels.isEmpty, let all = values as? [Float] { pixels = all } else { pixels += values }
        count += values.count / (3 * layout.height * layout.width)
    }

    /// What was collected; none without pictures.
    public var groups: [PictureGroup] {
        guard count > 0 else { return [] }
        return [
            PictureGroup(
                height: layout.height, width: layout.width, count: count, pixels: pixels, rows: rows, sources: sources)
        ]
    }
}
