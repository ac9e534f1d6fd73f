internal import CImageCodecs
import Synchronization

/// Coefficients and buffers for resizing, used by one picture at a time and kept for the next.
final class Resampler {
    private let handle: OpaquePointer
    private var rows: UnsafeMutableRawBufferPointer?

    /// Rows that are decoded and resampled at a time; a multiple of the 16 on which the C loops work.
    static let blockRows = 64

    init?() {
        guard let handle = vitrail_resampler_create() else { return nil }
        self.handle = handle
    }

    deinit {
        vitrail_resampler_destroy(handle)
        rows?.deallocate()
    }

    /// Prepares for resizing `source` to `target` and computing `window` of the result.
    func begin(
        from source: PixelSize, to target: PixelSize, window: (x: Int, y: Int, size: PixelSize),
        filter: ResampleFilter
    ) throws(ImageError) {
        var geometry = vitrail_resample_geometry(
            in_width: UInt32(source.width), in_height: UInt32(source.height), out_width: UInt32(target.width),
            out_height: UInt32(target.height), window_x: UInt32(window.x), window_y: UInt32(window.y),
            window_width: UInt32(window.size.width), window_height: UInt32(window.size.height),
            filter: vitrail_filter(rawValue: UInt32(filter.rawValue)))
        guard vitrail_resampler_begin(handle, &geometry) == 0 else {
            throw ImageError(
                .outOfMemory, source: "a picture of \(source) pixels", detail: "resizing it to \(target)")
        }
    }

    /// Takes the rows it needs of a picture in memory.
    func push(_ image: RGBImage) {
        let first = Int(vitrail_resampler_first_row(handle))
        image.pixels.withUnsafeBufferPointer { pixels in
            guard let base = pixels.baseAddress else { return }
            vitrail_resampler_push(
                handle, base + first * image.width * 3, image.width * 3, vitrail_resampler_row_count(handle))
        }
    }

    /// Takes the rows it needs while they are decoded, so that the whole picture never lies in memory.
    func push(_ decoder: borrowing PictureDecoder) throws(ImageError) {
        let first = Int(vitrail_resampler_first_row(handle)), height = decoder.size.height
        let stride = Self.stride(of: decoder.size.width)
        let buffer = rowBuffer(Self.blockRows * stride)
        var row = 0
        while row < height {
            // Rows above the first needed one are decoded apart, so that the blocks start with it.
            let count = min(Self.blockRows, (row < first ? first : height) - row)
            try decoder.read(into: buffer, stride: stride, rows: count)
            if row >= first { vitrail_resampler_push(handle, buffer, stride, UInt32(count)) }
            row += count
        }
    }

    /// Bytes from one decoded row to the next: an odd number of lines of 64, so that rows that are read side by side do not fall on the
    /// same few lines of the first cache.
    private static func stride(of width: Int) -> Int { ((width * 3 + 63) / 64 | 1) * 64 }

    /// Room for decoded rows that begin 16 bytes behind a line's start. Into rows at multiples of 32 libjpeg-turbo writes past the
    /// caches (`vmovntdq`), and what is wanted at once would come back from memory.
    private func rowBuffer(_ count: Int) -> UnsafeMutablePointer<UInt8> {
        if rows == nil || rows!.count < count + 16 {
            rows?.deallocate()
            rows = .allocate(byteCount: count + 16, alignment: 64)
        }
        return (rows!.baseAddress! + 16).assumingMemoryBound(to: UInt8.self)
    }

    /// The window as rows of R G B.
    func finish(into out: UnsafeMutableBufferPointer<UInt8>, width: Int) {
        vitrail_resampler_finish_rgb(handle, out.baseAddress!, width * 3)
    }

    /// The window as planes `[3, height, width]` of `table[256 · channel + value]`.
    func finish(table: [Float], into out: UnsafeMutablePointer<Float>) {
        precondition(table.count == 768, "a table of \(table.count) values")
        vitrail_resampler_finish_table(handle, table, out)
    }

    /// For tests: 0 picks the best loops, 1 plain C, 2 AVX2, 3 AVX-512; false when this processor lacks them.
    func forceKernels(_ choice: Int) -> Bool { vitrail_resampler_force_kernels(handle, Int32(choice)) == 0 }
}

/// Resamplers that are not in use, so that threads find warm buffers instead of allocating.
enum ResamplerPool {
    private struct Idle: @unchecked Sendable {  // a resampler in here is held by nobody else
        var resamplers: [Resampler] = []
    }
    private static let idle = Mutex(Idle())

    /// A resampler for one picture; to be given back.
    static func take() throws(ImageError) -> Resampler {
        guard let resampler = idle.withLock({ $0.resamplers.popLast() }) ?? Resampler() else {
            throw ImageError(.outOfMemory, source: "a picture", detail: "no memory for resizing")
        }
        return resampler
    }

    /// Takes a resampler back, which the caller no longer uses.
    static func giveBack(_ resampler: Resampler) {
        nonisolated(unsafe) let resampler = resampler
        idle.withLock { idle in
            // As many as there may be threads; more would only hold memory.
            if idle.resamplers.count < 64 { idle.resamplers.append(resampler) }
        }
    }

    /// Lends a resampler to `body`.
    static func withResampler<R>(_ body: (Resampler) throws(ImageError) -> R) throws(ImageError) -> R {
        let resampler = try take()
        defer { giveBack(resampler) }
        return try body(resampler)
    }
}
