import Basics
import Imaging

/// Files to start from: some drawn here, and those of the folders given.
struct Corpus: Sendable {
    let files: [[UInt8]]

    init(folders: [String]) throws {
        var files = try Corpus.drawn()
        for folder in folders {
            for path in try Corpus.paths(under: folder) {
                let bytes = try Files.read(path)
                // Large files make a run slow and reach no other code than small ones.
                if bytes.count < 40_000, bytes.withUnsafeBytes({ ImageFormat(magic: $0) }) != nil {
                    files.append(bytes)
                }
            }
        }
        self.files = files
    }

    private static func paths(under folder: String) throws -> [String] {
        try Files.list(folder).flatMap { name -> [String] in
            let path = Paths.join(folder, name)
            return Files.isDirectory(path) ? try paths(under: path) : [path]
        }
    }

    private static func drawn() throws -> [[UInt8]] {
        var files: [[UInt8]] = []
        var random = RandomGenerator(seed: 7)
        for (width, height) in [(1, 1), (8, 8), (17, 5), (33, 40), (64, 31)] {
            let pixels = (0..<(width * height * 3)).map { index in
                UInt8((index * 3 + random.below(40)) & 255)
            }
            let image = RGBImage(width: width, height: height, pixels: pixels)
            files.append(try image.encodedPNG())
            // Without compression, mutations of the image data reach the filters.
            files.append(try image.encodedPNG(compression: 0))
            for subsampling in ChromaSubsampling.allCases {
                files.append(try image.encodedJPEG(quality: 70, subsampling: subsampling))
                files.append(try image.encodedJPEG(quality: 95, subsampling: subsampling, progressive: true))
            }
        }
        return files
    }
}
