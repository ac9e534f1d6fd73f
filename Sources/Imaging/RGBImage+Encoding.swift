internal import CImageCodecs

/// How the colour of a JPEG file is thinned out.
public enum ChromaSubsampling: Int, Sendable, CaseIterable {
    /// Colour at full resolution (4:4:4).
    case none = 0
    /// Half the columns (4:2:2).
    case horizontal = 1
    /// Half the columns and rows (4:2:0), what most encoders do.
    case both = 2
}

extension RGBImage {
    /// The picture as a PNG file.
    ///
    /// - Parameter compression: 0 (none) to 9 (smallest).
    /// - Throws: `ImageError` when memory is out.
    public func encodedPNG(compression: Int = 6) throws(ImageError) -> [UInt8] {
        precondition((0...9).contains(compression), "encodedPNG: compression \(compression)")
        return try encoded { pixels, out, count, message in
            vitrail_png_encode(
                pixels, UInt32(width), UInt32(height), Int32(compression), &out, &count, message)
        }
    }

    /// The picture as a JPEG file.
    ///
    /// - Parameters:
    ///   - quality: 1 (smallest) to 100 (best).
    ///   - subsampling: how the colour is thinned out.
    ///   - progressive: whether the picture becomes sharper as it is read.
    /// - Throws: `ImageError` when the picture is wider or higher than 65,500 pixels, or memory is out.
    public func encodedJPEG(
        quality: Int = 90, subsampling: ChromaSubsampling = .both, progressive: Bool = false
    ) throws(ImageError) -> [UInt8] {
        precondition((1...100).contains(quality), "encodedJPEG: quality \(quality)")
        return try encoded { pixels, out, count, message in
            vitrail_jpeg_encode(
                pixels, UInt32(width), UInt32(height), Int32(quality),
                vitrail_subsampling(rawValue: UInt32(subsampling.rawValue)), progressive ? 1 : 0, &out, &count,
                message)
        }
    }

    private func encoded(
        _ encode: (
            UnsafePointer<UInt8>?, inout UnsafeMutablePointer<UInt8>?, inout Int, UnsafeMutablePointer<CChar>
        ) -> Int32
    ) throws(ImageError) -> [UInt8] {
        var out: UnsafeMutablePointer<UInt8>?
        var count = 0
        let failure = withUnsafeTemporaryAllocation(
            of: CChar.self, capacity: VITRAIL_MESSAGE_CAPACITY
        ) { message -> String? in
            let status = pixels.withUnsafeBufferPointer {
                encode($0.baseAddress, &out, &count, message.baseAddress!)
            }
            return status == 0 ? nil : String(cString: message.baseAddress!)
        }
        if let failure {
            throw ImageError(.unsuitable, source: "a picture of \(size) pixels", detail: "not encoded: \(failure)")
        }
        defer { vitrail_encoded_free(out) }
        return [UInt8](UnsafeBufferPointer(start: out, count: count))
    }
}
