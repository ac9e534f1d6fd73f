import Basics
import Imaging
import Testing

/// Small files of every kind, against what Pillow makes of them.
struct DecodingTests {
    static let pictures = TestPicture.entries("pictures.json")

    static func path(_ entry: FixtureEntry) -> String {
        TestPicture.fixture(Paths.join("pictures", entry.string("file")))
    }

    @Test
    func thereAreFilesOfEveryKind() {
        #expect(Self.pictures.count > 30)
    }

    @Test(arguments: pictures)
    func pixelsAreThoseOfPillow(_ entry: FixtureEntry) throws {
        let inspection = try ImageInspection(path: Self.path(entry))
        #expect(inspection.digest == entry.string("rgb_sha256"))
        #expect(inspection.json["width"]?.int == entry.int("width"))
        #expect(inspection.json["height"]?.int == entry.int("height"))
        #expect(inspection.json["orientation"]?.int == entry.int("orientation"))
        #expect(inspection.json["format"]?.string == entry.string("format"))
        let stored = try ImageDecoder.decode(
            path: Self.path(entry), options: DecodingOptions(alpha: .drop, appliesOrientation: false))
        #expect(stored.digest == entry.string("dropped_alpha_sha256"))
        #expect(stored.size == PixelSize(width: entry.int("stored_width"), height: entry.int("stored_height")))
    }

    @Test(arguments: pictures)
    func everyBeginningOfAFileIsRefused(_ entry: FixtureEntry) throws {
        let file = try Files.read(Self.path(entry))
        for count in 0..<file.count {
            do {
                _ = try ImageDecoder.decode(Array(file.prefix(count)), source: "cut.png")
                Issue.record("\(count) of \(file.count) bytes were read as a picture")
            } catch let error as ImageError {
                guard error.problem.hasPrefix("cut.png ") else {
                    Issue.record("\(error.problem)")
                    return
                }
            }
        }
    }

    @Test(arguments: pictures)
    func headerNeedsNoPixels(_ entry: FixtureEntry) throws {
        let header = try ImageHeader(path: Self.path(entry))
        #expect(header.size == PixelSize(width: entry.int("width"), height: entry.int("height")))
    }

    @Test
    func limitsAreCheckedBeforeDecoding() throws {
        let file = try RGBImage(width: 40, height: 30, filledWith: (1, 2, 3)).encodedPNG()
        var options = DecodingOptions(limits: DecodingLimits(maximumPixels: 1_199))
        #expect(
            throws: ImageError(
                .overLimit, source: "p.png", detail: "it has 1200 pixels (40x30), more than the limit of 1199",
                fix: "make it smaller, or leave it out")
        ) {
            try ImageDecoder.decode(file, source: "p.png", options: options)
        }
        options.limits.maximumPixels = 1_200
        #expect(try ImageDecoder.decode(file, source: "p.png", options: options).size.pixels == 1_200)
        options.limits.maximumSide = 39
        #expect(throws: ImageError.self) { try ImageDecoder.decode(file, source: "p.png", options: options) }
    }

    @Test
    func aHeaderThatPromisesTooMuchIsRefusedAtOnce() throws {
        var file = try RGBImage(width: 8, height: 8, filledWith: (1, 2, 3)).encodedJPEG()
        let frame = try #require(file.indices.first { file[$0] == 0xff && file[$0 + 1] == 0xc0 })
        file[frame + 5] = 0x2f  // 12,040 x 12,040 pixels
        file[frame + 7] = 0x2f
        do {
            _ = try ImageDecoder.decode(file, source: "bomb.jpg")
            Issue.record("was read")
        } catch let error as ImageError {
            #expect(error.detail.contains("can not hold"))
        }
    }

    @Test(arguments: [
        ("GIF89a", "GIF"), ("RIFF0000WEBPVP8 ", "WebP"), ("<html>", "HTML"), ("hello", "it looks like text"),
        ("\u{1}llo", "01 6c 6c 6f"),
    ])
    func otherFormatsAreNamed(_ text: String, _ expected: String) throws {
        do {
            _ = try ImageDecoder.decode(Array(text.utf8), source: "a.png")
            Issue.record("was read")
        } catch let error as ImageError {
            #expect(error.kind == .unknownFormat)
            #expect(error.problem.contains(expected))
            #expect(error.problem.hasPrefix("a.png is neither a PNG nor a JPEG file"))
        }
    }

    @Test(arguments: [2, 4, 8])
    func scaledDecodingStaysLargeEnoughAndAlike(_ denominator: Int) throws {
        let image = try TestPicture.drawn(320, 240).resized(to: PixelSize(width: 200, height: 120), filter: .box)
        let file = try image.resized(to: PixelSize(width: 800, height: 480), filter: .bicubic).encodedJPEG(
            quality: 95, subsampling: .none)
        let sufficient = PixelSize(width: 800 / denominator, height: 480 / denominator)
        let scaled = try ImageDecoder.decode(
            file, source: "a.jpg", options: DecodingOptions(sufficientSize: sufficient))
        #expect(scaled.size == sufficient)
        let whole = try ImageDecoder.decode(file, source: "a.jpg").resized(to: sufficient, filter: .box)
        let difference = zip(scaled.pixels, whole.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
        #expect(Double(difference) / Double(whole.pixels.count) < 4)
    }
}
