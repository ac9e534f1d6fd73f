/// The kernels with which pictures are resized, as in Pillow; raw values are those of `preprocessor_config.json`.
public enum ResampleFilter: Int, Sendable, CaseIterable {
    /// The nearest pixel.
    case nearest = 0
    /// Lanczos with three lobes.
    case lanczos = 1
    /// A triangle.
    case bilinear = 2
    /// Keys' cubic with a = -0.5.
    case bicubic = 3
    /// The mean over the pixels covered.
    case box = 4
    /// The box with less aliasing: a sinc under a Hamming window.
    case hamming = 5

    /// `bicubic` and so on.
    public var name: String { "\(self)" }
}
