import Basics
import Imaging

/// Times picture files on their way from bytes to pixels of a model.
public struct PictureBenchmark: Sendable {
    private let files: [(path: String, bytes: [UInt8])]
    private let processor: ImageProcessor
    private let options: DecodingOptions
    private let workers: Int

    /// Reads the files of a folder whose names end in `jpg`, `jpeg` or `png`.
    ///
    /// - Parameters:
    ///   - side: pixels of the square that a SigLIP tower takes.
    ///   - scaled: JPEG files may be decoded at a half, a quarter or an eighth of their size.
    /// - Throws: an error when there is no picture in the folder.
    public init(folder: String, side: Int, scaled: Bool, workers: Int) throws {
        let names = try Files.list(folder).filter { name in
            [".jpg", ".jpeg", ".png"].contains { name.lowercased().hasSuffix($0) }
        }
        guard !names.isEmpty else {
            throw UserError("\(folder): no pictures", fix: "name a folder with .jpg or .png files")
        }
        files = try names.map { (Paths.join(folder, $0), try Files.read(Paths.join(folder, $0))) }
        processor = .siglip(side: side)
        options = DecodingOptions(sufficientSize: scaled ? PixelSize(square: side) : nil)
        self.workers = workers
    }

    /// Pictures of a pass.
    public var count: Int { files.count }

    /// Median seconds of a pass over all pictures, after one that is not timed.
    public func run(passes: Int) throws -> Double {
        try pass()
        var times: [Double] = []
        for _ in 0..<max(1, passes) {
            let start = ContinuousClock.now
            try pass()
            times.append((ContinuousClock.now - start) / .seconds(1))
        }
        return times.median
    }

    private func pass() throws {
        _ = try Parallel.map(files, workers: workers) { file in
            try file.bytes.withUnsafeBytes {
                try processor.process(decoding: $0, source: file.path, options: options).values.count
            }
        }
    }
}
