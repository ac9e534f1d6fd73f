internal import CImageCodecs

/// An open picture file that delivers its rows from the top, as stored.
///
/// The bytes must stay valid as long as the decoder lives.
struct PictureDecoder: ~Copyable {
    private let decoder: OpaquePointer
    private let source: String
    let size: PixelSize

    /// Reads the header and checks it against the limits.
    init(
        _ bytes: UnsafeRawBufferPointer, header: ImageHeader, options: DecodingOptions, source: String
    ) throws(ImageError) {
        let limits = options.limits
        func clamped<Target: FixedWidthInteger>(_ value: Int, _ type: Target.Type) -> Target {
            Target(clamping: max(0, value))
        }
        var settings = vitrail_decode_options(
            maximum_width: clamped(min(limits.maximumSide, 65_535), UInt32.self),
            maximum_height: clamped(min(limits.maximumSide, 65_535), UInt32.self),
            maximum_pixels: clamped(limits.maximumPixels, UInt64.self),
            maximum_working_bytes: clamped(limits.maximumWorkingBytes, UInt64.self),
            maximum_scans: clamped(limits.maximumScans, UInt32.self),
            scale_denominator: UInt32(options.scaleDenominator(for: header)),
            drops_alpha: options.alpha == .drop ? 1 : 0)
        let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        var opened: OpaquePointer?
        let failure = Self.call(source) { message in
            vitrail_decoder_open(header.format.codec, base, bytes.count, &settings, &opened, message)
        }
        if let failure { throw failure }
        guard let opened else { throw ImageError(.corrupt, source: source, detail: "it cannot be opened") }
        decoder = opened
        self.source = source
        size = PixelSize(
            width: Int(vitrail_decoder_width(opened)), height: Int(vitrail_decoder_height(opened)))
    }

    deinit {
        vitrail_decoder_close(decoder)
    }

    /// Decodes the next `rows` rows, `stride` bytes apart. After the last one the rest of the file is checked.
    func read(into out: UnsafeMutablePointer<UInt8>, stride: Int, rows: Int) throws(ImageError) {
        let failure = Self.call(source) { message in
            vitrail_decoder_read_rows(decoder, out, stride, UInt32(rows), message)
        }
        if let failure { throw failure }
    }

    private static func call(
        _ source: String, _ body: (UnsafeMutablePointer<CChar>) -> vitrail_decode_status
    ) -> ImageError? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: VITRAIL_MESSAGE_CAPACITY) { message in
            let status = body(message.baseAddress!)
            guard status != VITRAIL_DECODE_OK else { return nil }
            let detail = String(cString: message.baseAddress!)
            switch status {
            case VITRAIL_DECODE_OVER_LIMIT:
                return ImageError(
                    .overLimit, source: source, detail: detail, fix: "make it smaller, or leave it out")
            case VITRAIL_DECODE_NO_MEMORY:
                return ImageError(.outOfMemory, source: source, detail: detail, fix: "make it smaller")
            default:
                return ImageError(
                    .corrupt, source: source, detail: detail, fix: "get the file again, or leave it out")
            }
        }
    }
}
