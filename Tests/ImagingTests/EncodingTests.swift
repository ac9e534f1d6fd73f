import Imaging
import Testing

struct EncodingTests {
    @Test(arguments: [(1, 1), (7, 3), (64, 65)], [0, 6, 9])
    func pngKeepsEveryPixel(_ size: (Int, Int), _ compression: Int) throws {
        let image = TestPicture.drawn(size.0, size.1)
        let file = try image.encodedPNG(compression: compression)
        #expect(try ImageDecoder.decode(file, source: "a.png") == image)
    }

    @Test(arguments: ChromaSubsampling.allCases, [false, true])
    func jpegIsCloseToThePicture(_ subsampling: ChromaSubsampling, _ progressive: Bool) throws {
        let image = try TestPicture.drawn(20, 15).resized(to: PixelSize(width: 90, height: 70), filter: .bilinear)
        let file = try image.encodedJPEG(quality: 95, subsampling: subsampling, progressive: progressive)
        let header = try file.withUnsafeBytes { try ImageHeader(bytes: $0, source: "a.jpg") }
        #expect(header.isProgressive == progressive)
        #expect(header.colour == "YCbCr")
        let read = try ImageDecoder.decode(file, source: "a.jpg")
        let difference = zip(read.pixels, image.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
        #expect(read.size == image.size)
        #expect(Double(difference) / Double(image.pixels.count) < 12)
        #expect(try image.encodedJPEG(quality: 30).count < file.count)
    }

    @Test
    func theSamePictureGivesTheSameFile() throws {
        let image = TestPicture.drawn(50, 40)
        #expect(try image.encodedPNG() == image.encodedPNG())
        #expect(try image.encodedJPEG() == image.encodedJPEG())
    }

    @Test(arguments: Orientation.allCases)
    func turningBackGivesThePicture(_ orientation: Orientation) throws {
        let back: [Orientation: Orientation] = [.rightTop: .leftBottom, .leftBottom: .rightTop]
        let image = TestPicture.drawn(35, 67)
        let turned = image.oriented(orientation)
        #expect(turned.width == (orientation.exchangesSides ? 67 : 35))
        #expect(turned.oriented(back[orientation] ?? orientation) == image)
    }
}
