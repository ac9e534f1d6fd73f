public import Imaging
public import Tokenization

/// Pixels of one processed picture: channels first, `[3, height, width]`, normalised; tiles of one, one after another.
public typealias Pixels = ContiguousArray<Float>

/// One record, tokenised and with its pictures' pixels.
public struct Sample: Sendable {
    /// Its place in the order of training, counted over all epochs.
    public var position: Int
    /// Which record it is.
    public var index: SampleIndex
    /// The record's own id.
    public var id: String
    /// Its text.
    public var text: RenderedConversation
    /// Its pictures, one for each image span.
    public var pixels: [Pixels]
    /// The pictures' sizes before processing; empty unless the recipe needs them.
    public var sizes: [PixelSize]

    /// Makes a sample.
    public init(
        position: Int, index: SampleIndex, id: String, text: RenderedConversation, pixels: [Pixels],
        sizes: [PixelSize] = []
    ) {
        self.sizes = sizes
        self.position = position
        self.index = index
        self.id = id
        self.text = text
        self.pixels = pixels
    }

    /// Tokens of the sample.
    public var tokenCount: Int { text.ids.count }
}
