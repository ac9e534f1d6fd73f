extension ImageProcessor {
    /// The picture through all steps as one tile.
    ///
    /// - Throws: `ImageError` when the processor cuts pictures into tiles, or memory is out.
    public func process(_ image: RGBImage) throws(ImageError) -> PixelPlanes {
        let size = try outputSize(for: image.size)
        return try planes(size) { (out) throws(ImageError) in try process(image, into: out) }
    }

    /// The picture through all steps as one tile, into `[3, height, width]` floats that exist.
    ///
    /// - Throws: `ImageError` when the processor cuts pictures into tiles, `out` has another size, or memory is out.
    public func process(
        _ image: RGBImage, into out: UnsafeMutableBufferPointer<Float>
    ) throws(ImageError) {
        let plan = try onePicturePlan(for: image.size, count: out.count)
        guard let base = out.baseAddress else { return }
        try run(plan, on: image, into: base)
    }

    /// Decodes a picture file and takes it through all steps as one tile. Where it can, it resizes rows as they are
    /// decoded, so that the whole picture never lies in memory.
    ///
    /// - Throws: `ImageError`, as `ImageDecoder.decode` and `process` do.
    public func process(
        decoding bytes: UnsafeRawBufferPointer, source: String, options: DecodingOptions = DecodingOptions()
    ) throws(ImageError) -> PixelPlanes {
        let header = try ImageHeader(bytes: bytes, source: source)
        let size = try outputSize(for: options.appliesOrientation ? header.size : header.storedSize)
        return try planes(size) { (out) throws(ImageError) in
            try process(decoding: bytes, header: header, source: source, options: options, into: out)
        }
    }

    /// Decodes a picture file and takes it through all steps as one tile, into `[3, height, width]` floats that exist.
    ///
    /// - Throws: `ImageError`, as `ImageDecoder.decode` and `process` do.
    public func process(
        decoding bytes: UnsafeRawBufferPointer, source: String, options: DecodingOptions = DecodingOptions(),
        into out: UnsafeMutableBufferPointer<Float>
    ) throws(ImageError) {
        let header = try ImageHeader(bytes: bytes, source: source)
        try process(decoding: bytes, header: header, source: source, options: options, into: out)
    }

    private func process(
        decoding bytes: UnsafeRawBufferPointer, header: ImageHeader, source: String, options: DecodingOptions,
        into out: UnsafeMutableBufferPointer<Float>
    ) throws(ImageError) {
        let isTurned = options.appliesOrientation && header.orientation != .upright
        if isTurned || padding != nil || filter == .nearest {
            try process(try ImageDecoder.decode(bytes, source: source, options: options), into: out)
            return
        }
        let decoder = try PictureDecoder(bytes, header: header, options: options, source: source)
        let plan = try onePicturePlan(for: decoder.size, count: out.count)
        guard let base = out.baseAddress else { return }
        guard plan.windowIsInside else {
            try process(try ImageDecoder.decode(bytes, source: source, options: options), into: out)
            return
        }
        // A noncopyable value cannot be captured; the resampler is borrowed around it instead.
        let resampler = try ResamplerPool.take()
        defer { ResamplerPool.giveBack(resampler) }
        try resampler.begin(from: decoder.size, to: plan.resized, window: plan.window, filter: filter)
        try resampler.push(decoder)
        resampler.finish(table: table.values, into: base)
    }

    private func planes(
        _ size: PixelSize, _ body: (UnsafeMutableBufferPointer<Float>) throws(ImageError) -> Void
    ) throws(ImageError) -> PixelPlanes {
        let count = 3 * size.pixels
        var failure: ImageError?
        let values = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            do throws(ImageError) {
                try body(UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
                initialized = count
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return PixelPlanes(size: size, values: values)
    }

    private func onePicturePlan(for size: PixelSize, count: Int) throws(ImageError) -> Plan {
        let source = "a picture of \(size) pixels"
        guard tiling == .none else {
            throw ImageError(
                .unsuitable, source: source, detail: "this processor makes several tiles of a picture",
                fix: "ask for its tiles")
        }
        let plan = try plan(for: size)
        guard plan.window.size.pixels * 3 == count else {
            throw ImageError(
                .unsuitable, source: source,
                detail: "it comes out with \(plan.window.size) pixels, which is not what \(count) floats hold")
        }
        return plan
    }

    /// Runs a plan; `out` has three planes of the window's size.
    func run(_ plan: Plan, on image: RGBImage, into out: UnsafeMutablePointer<Float>) throws(ImageError) {
        let image = padded(image, plan)
        if filter != .nearest && plan.windowIsInside && plan.resized != image.size {
            try ResamplerPool.withResampler { (resampler) throws(ImageError) in
                try resampler.begin(from: image.size, to: plan.resized, window: plan.window, filter: filter)
                resampler.push(image)
                resampler.finish(table: table.values, into: out)
            }
        } else {
            table.apply(to: try bytes(plan, on: image), into: out)
        }
    }

    /// The picture after the steps on bytes, that is before rescaling and normalisation.
    package func processedBytes(of image: RGBImage) throws(ImageError) -> RGBImage {
        let plan = try plan(for: image.size)
        return try bytes(plan, on: padded(image, plan))
    }

    private func bytes(_ plan: Plan, on image: RGBImage) throws(ImageError) -> RGBImage {
        let resized = try image.resized(to: plan.resized, filter: filter)
        if plan.window == (0, 0, plan.resized) { return resized }
        return resized.cropped(x: plan.window.x, y: plan.window.y, to: plan.window.size)
    }

    private func padded(_ image: RGBImage, _ plan: Plan) -> RGBImage {
        guard let canvas = plan.canvas else { return image }
        return image.placed(on: canvas.size, x: canvas.x, y: canvas.y, colour: paddingColour)
    }

    private var paddingColour: (red: UInt8, green: UInt8, blue: UInt8) {
        switch padding {
        case .colour(let red, let green, let blue): return (red, green, blue)
        case .mean:
            let mean = (normalization?.mean ?? [0, 0, 0]).map { UInt8(clamping: Int(max(-1, min(2, $0)) * 255)) }
            return (mean[0], mean[1], mean[2])
        case nil: return (0, 0, 0)
        }
    }

    /// Rebuilt for each picture: 768 values cost less than keeping them in step with the fields would.
    var table: PixelTable { PixelTable(rescaleFactor: rescaleFactor, normalization: normalization) }
}
