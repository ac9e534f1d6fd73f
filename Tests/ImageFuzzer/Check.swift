import Basics
import Imaging

/// What must hold for every input.
enum Check {
    static func run(_ input: [UInt8], number: Int, tally: inout Tally) throws {
        // Every 16th input with the default limits, the others with ones that keep a run short.
        var options = DecodingOptions()
        if number % 16 != 0 { options.limits.maximumPixels = 16_000_000 }
        if number % 3 == 1 { options.alpha = .drop }
        // Most files are small: at an eighth of their size they must be content with few pixels.
        if number % 2 == 1 { options.sufficientSize = PixelSize(square: [1, 5, 24][number / 2 % 3]) }
        let processor = processors[number % processors.count]

        switch decode(input, options) {
        case .failure(let error):
            guard !error.detail.isEmpty else { throw UserError("an error without words") }
            tally.refused += 1
            if case .success = process(input, options, processor) {
                throw UserError("processing took what decoding refused")
            }
        case .success(let image):
            tally.read += 1
            if isEighth(image, input) { tally.eighths += 1 }
            guard image.pixels.count == image.size.pixels * 3 else {
                throw UserError("\(image.size) with other pixels")
            }
            guard image.size.pixels < 1_000_000 else { return }
            // Reading, resizing and normalising in one go gives the same as one after the other, or the same error (of a
            // picture so narrow that the other side would be too long).
            guard process(input, options, processor) == process(image, processor) else {
                throw UserError("decoding and resizing in one go differ")
            }
        }
    }

    /// Whether a picture was decoded at an eighth of its size.
    private static func isEighth(_ image: RGBImage, _ input: [UInt8]) -> Bool {
        let header = input.withUnsafeBytes { try? ImageHeader(bytes: $0, source: "input") }
        guard let size = header?.size, max(size.width, size.height) > 8 else { return false }
        return [size.width, size.height].map { ($0 + 7) / 8 }.sorted() == [image.width, image.height].sorted()
    }

    private static func decode(_ input: [UInt8], _ options: DecodingOptions) -> Result<RGBImage, ImageError> {
        input.withUnsafeBytes { bytes in
            do throws(ImageError) {
                return .success(try ImageDecoder.decode(bytes, source: "input", options: options))
            } catch {
                return .failure(error)
            }
        }
    }

    private static func process(
        _ input: [UInt8], _ options: DecodingOptions, _ processor: ImageProcessor
    ) -> Result<PixelPlanes, ImageError> {
        input.withUnsafeBytes { bytes in
            do throws(ImageError) {
                return .success(try processor.process(decoding: bytes, source: "input", options: options))
            } catch {
                return .failure(error)
            }
        }
    }

    private static func process(_ image: RGBImage, _ processor: ImageProcessor) -> Result<PixelPlanes, ImageError> {
        do throws(ImageError) {
            return .success(try processor.process(image))
        } catch {
            return .failure(error)
        }
    }

    private static let processors: [ImageProcessor] = [
        .siglip(side: 24), .clip(side: 17), .llavaPad(side: 20), .siglip(side: 40, filter: .lanczos),
        .siglip(side: 9, filter: .nearest),
    ]
}
