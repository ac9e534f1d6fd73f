import Basics
import Imaging
import TestSupport
import Testing

/// JPEG files at an eighth of their size, which are decoded without libjpeg where they are of the usual kind.
@Suite struct EighthDecodingTests {
    /// A comment between the scan and the end: unusual enough that libjpeg decodes the file, to what it makes of the file without.
    private func unusual(_ file: [UInt8]) -> [UInt8] { file.dropLast(2) + [0xFF, 0xFE, 0, 4, 0x68, 0x69, 0xFF, 0xD9] }

    private func eighth(_ file: [UInt8]) throws -> RGBImage {
        try ImageDecoder.decode(
            file, source: "a.jpg", options: DecodingOptions(sufficientSize: PixelSize(width: 1, height: 1)))
    }

    @Test(arguments: [8, 30, 75, 100], [(8, 8), (9, 17), (16, 16), (97, 61), (640, 333)])
    func equalsLibjpeg(_ quality: Int, _ size: (width: Int, height: Int)) throws {
        for subsampling in [ChromaSubsampling.none, .both] {
            let file = try TestPicture.drawn(size.width, size.height).encodedJPEG(
                quality: quality, subsampling: subsampling)
            let image = try eighth(file)
            #expect(image.size == PixelSize(width: (size.width + 7) / 8, height: (size.height + 7) / 8))
            #expect(try image.pixels == eighth(unusual(file)).pixels, "\(size), quality \(quality), \(subsampling)")
        }
    }

    /// A byte of the scan gone or changed is an error of both, or of neither. Pixels may differ then: libjpeg's vector code
    /// wraps coefficients that no encoder writes.
    @Test func damageIsTheSame() throws {
        let file = try TestPicture.drawn(97, 61).encodedJPEG(quality: 75, subsampling: .both)
        var numbers = NumberStream(seed: 12)
        for _ in 0..<200 {
            var damaged = file
            let place = file.count - 3 - Int(numbers.next() % UInt64(file.count - 700))
            if numbers.next() % 4 == 0 {
                damaged.remove(at: place)
            } else {
                damaged[place] = UInt8(numbers.next() & 255)
            }
            let own = try? eighth(damaged)
            let library = try? eighth(unusual(damaged))
            #expect((own == nil) == (library == nil))
            #expect(own?.size == library?.size)
        }
    }

    /// Restart markers, grey, and chroma halved in one direction, from Pillow (`make_image_fixtures.py`).
    @Test(arguments: ["restarts", "restarts1", "grey", "halved"])
    func otherKinds(_ name: String) throws {
        let file = try Files.read(TestPicture.fixture("pictures/eighth-\(name).jpg"))
        #expect(try eighth(file).pixels == eighth(unusual(file)).pixels)
    }
}
