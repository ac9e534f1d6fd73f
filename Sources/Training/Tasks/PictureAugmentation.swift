import Basics
import InstructionData

/// Small changes to pictures that leave answers as they are: mirroring, and shifts with the edge repeated.
///
/// A function of the seed and the sample's place in the run, so a resumed run sees the same pictures.
struct PictureAugmentation: Hashable, Sendable {
    /// Whether every second picture, on average, is mirrored left to right.
    var flips: Bool
    /// Largest shift in pixels, in each direction.
    var shift: Int

    /// Whether anything is changed.
    var isActive: Bool { flips || shift > 0 }

    /// The sample with its pictures changed; each plane is `[height, width]`.
    func applied(to sample: Sample, seed: UInt64, height: Int, width: Int) -> Sample {
        guard isActive else { return sample }
        var generator = RandomGenerator(seed: seed ^ 0xA07E, stream: UInt64(sample.position))
        var result = sample
        result.pixels = sample.pixels.map { picture in
            let isMirrored = flips && generator.next() & 1 == 1
            let dx = shift == 0 ? 0 : generator.below(2 * shift + 1) - shift
            let dy = shift == 0 ? 0 : generator.below(2 * shift + 1) - shift
            return changed(picture, height: height, width: width, isMirrored: isMirrored, dx: dx, dy: dy)
        }
        return result
    }

    private func changed(
        _ picture: Pixels, height: Int, width: Int, isMirrored: Bool, dx: Int, dy: Int
    ) -> Pixels {
        guard isMirrored || dx != 0 || dy != 0 else { return picture }
        let columns = (0..<width).map { x in
            let source = min(max(x - dx, 0), width - 1)
            return isMirrored ? width - 1 - source : source
        }
        return Pixels(unsafeUninitializedCapacity: picture.count) { buffer, initialized in
            picture.withUnsafeBufferPointer { source in
                for row in 0..<picture.count / width {
                    let (plane, y) = (row / height, row % height)
                    let from = (plane * height + min(max(y - dy, 0), height - 1)) * width
                    for x in 0..<width { buffer[row * width + x] = source[from + columns[x]] }
                }
            }
            initialized = picture.count
        }
    }
}
