public import Imaging
public import Tokenization

/// How records are shown.
public struct PreviewSettings: Sendable {
    /// Records that are shown.
    public var count = 48
    /// Which ones: drawn from the seed, or the first of the file when nil.
    public var seed: UInt64? = 17
    /// Counts tokens and colours them one by one; nil shows texts in the template's pieces.
    public var tokenizer: Tokenizer?
    /// Roles and separators around the turns.
    public var template: any ChatTemplate
    /// Tokens that stand for a picture of this size, the one with this number of so many in its record; nil when they are not
    /// known.
    public var imageTokens:
        (@Sendable (_ size: () throws -> PixelSize, _ index: Int, _ count: Int) throws -> ImageTokens)?
    /// The longest side of pictures on the page, in pixels.
    public var pictureSide = 320

    /// Settings with a template.
    public init(template: any ChatTemplate) { self.template = template }
}
