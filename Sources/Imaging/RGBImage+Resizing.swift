internal import CImageCodecs

extension RGBImage {
    /// The picture resized, equal in every byte to `Image.resize` of Pillow 13 for mode RGB.
    ///
    /// - Throws: `ImageError` when memory is out or the target is larger than 65,535 pixels a side.
    public func resized(to target: PixelSize, filter: ResampleFilter) throws(ImageError) -> RGBImage {
        try resized(to: target, filter: filter, kernels: 0)
    }

    /// For tests: `kernels` picks the loops (see `Resampler.forceKernels`).
    package func resized(to target: PixelSize, filter: ResampleFilter, kernels: Int) throws(ImageError) -> RGBImage {
        try Self.checkSide(target, source: "a picture of \(size) pixels")
        if target == size { return self }
        if filter == .nearest {
            return RGBImage(size: target) { out in
                pixels.withUnsafeBufferPointer { bytes in
                    vitrail_resize_nearest(
                        bytes.baseAddress!, UInt32(width), UInt32(height), out.baseAddress!, UInt32(target.width),
                        UInt32(target.height))
                }
            }
        }
        return try ResamplerPool.withResampler { (resampler) throws(ImageError) in
            guard resampler.forceKernels(kernels) else {
                throw ImageError(.unsuitable, source: "this processor", detail: "has no loops number \(kernels)")
            }
            defer { _ = resampler.forceKernels(0) }
            try resampler.begin(from: size, to: target, window: (0, 0, target), filter: filter)
            resampler.push(self)
            return RGBImage(size: target) { resampler.finish(into: $0, width: target.width) }
        }
    }

    static func checkSide(_ size: PixelSize, source: String) throws(ImageError) {
        guard size.width >= 1, size.height >= 1, size.width <= 65_535, size.height <= 65_535 else {
            throw ImageError(.unsuitable, source: source, detail: "it cannot be resized to \(size) pixels")
        }
    }
}
