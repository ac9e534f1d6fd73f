/// Pictures of one size, as the vision tower takes them.
public struct PictureGroup: Sendable {
    /// Pixels high.
    public let height: Int
    /// Pixels wide.
    public let width: Int
    /// Number of pictures.
    public let count: Int
    /// `[count, channels, height, width]`, normalised.
    public let pixels: [Float]
    /// For each visual token of these pictures, in order, its row in the packed batch.
    public let rows: [Int32]

    /// A group of pictures.
    public init(height: Int, width: Int, count: Int, pixels: [Float], rows: [Int32]) {
        self.height = height
        self.width = width
        self.count = count
        self.pixels = pixels
        self.rows = rows
    }
}

/// Conversations packed one after another without padding: what a training step takes.
public struct PackedBatch: Sendable {
    /// Token ids, negative where a visual token stands.
    public let ids: [Int32]
    /// The token that follows, where it carries loss; negative elsewhere.
    public let labels: [Int32]
    /// Positions, counted from 0 in each sequence.
    public let positions: [Int32]
    /// Row where each sequence begins, and the total.
    public let offsets: [Int32]
    /// Pictures, grouped by size. None in a batch of texts.
    public let pictures: [PictureGroup]

    /// A batch; positions count from 0 in each sequence.
    public init(ids: [Int32], labels: [Int32], offsets: [Int32], pictures: [PictureGroup]) {
        self.ids = ids
        self.labels = labels
        self.offsets = offsets
        self.pictures = pictures
        positions = zip(offsets, offsets.dropFirst()).flatMap { start, end in (0..<(end - start)).map { $0 } }
    }

    /// All tokens, visual ones included.
    public var tokenCount: Int { ids.count }
    /// Tokens that carry loss.
    public var supervisedCount: Int { labels.count { $0 >= 0 } }
}
