import Imaging

extension ImageProcessor {
    /// Pixels high of every processed picture; 0 when it depends on the picture.
    var outputHeight: Int { fixedOutputSize?.height ?? 0 }
    /// Pixels wide of every processed picture; 0 when it depends on the picture.
    var outputWidth: Int { fixedOutputSize?.width ?? 0 }
}
