public import TensorCore

/// Pictures of one size, or tiles of pictures, as the vision tower takes them.
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
    /// For each of `rows`, which of the projected patches of all pictures stands there, −1 for the line end; nil for all of
    /// them in order.
    public let sources: [Int32]?

    /// A group of pictures.
    public init(height: Int, width: Int, count: Int, pixels: [Float], rows: [Int32], sources: [Int32]? = nil) {
        self.height = height
        self.width = width
        self.count = count
        self.pixels = pixels
        self.rows = rows
        self.sources = sources
    }

    /// The pixels on a back end, `[count, channels, height, width]`; the rest of sides that do not divide into patches is
    /// left out, at the bottom and on the right, as by a convolution without padding.
    public func tensor(for tower: VisionConfiguration, on backend: any Backend) -> Tensor {
        let (high, wide) = (height - height % tower.patchSize, width - width % tower.patchSize)
        let shape: Shape = [count, tower.channels, high, wide]
        if high == height, wide == width { return Tensor(pixels, shape: shape, on: backend) }
        var kept: [Float] = []
        kept.reserveCapacity(shape.count)
        for plane in 0..<count * tower.channels {
            for row in 0..<high {
                let start = (plane * height + row) * width
                kept += pixels[start..<start + wide]
            }
        }
        return Tensor(kept, shape: shape, on: backend)
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

    /// Tokens of each sequence before the first one that carries loss: the prompt; all of them where none does.
    public var promptCounts: [Int32] {
        zip(offsets, offsets.dropFirst()).map { start, end in
            let first = (start..<end).first { labels[Int($0)] >= 0 }
            return (first.map { $0 + 1 } ?? end) - start
        }
    }

    /// All tokens, visual ones included.
    public var tokenCount: Int { ids.count }
    /// Tokens that carry loss.
    public var supervisedCount: Int { labels.count { $0 >= 0 } }
}
