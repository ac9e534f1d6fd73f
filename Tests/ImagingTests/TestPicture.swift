import Basics
import Imaging
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Pictures and expectations made by `Scripts/reference/make_image_fixtures.py`.
enum TestPicture {
    /// The picture that the script's `picture` makes.
    static func drawn(_ width: Int, _ height: Int) -> RGBImage {
        var pixels: [UInt8] = []
        pixels.reserveCapacity(width * height * 3)
        for y in 0..<height {
            for x in 0..<width {
                for channel in 0..<3 {
                    let value = x * 7 + y * 13 + channel * 85 + (x * y) / 16 + ((x / 5 + y / 3) % 2) * 128
                    pixels.append(UInt8(value & 255))
                }
            }
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    static func fixture(_ name: String) -> String { Fixtures.local("Imaging", name) }

    /// The entries of one of the script's lists, and of the list of that name that `compare_images.py` has made.
    static func entries(_ name: String) -> [FixtureEntry] {
        let more = getenv("VITRAIL_IMAGE_CASES").map { Paths.join(String(cString: $0), name) }
        return [fixture(name), more].compactMap { $0 }.flatMap { path -> [FixtureEntry] in
            guard let json = try? JSON.read(path) else { return [] }
            return (json.array ?? []).map(FixtureEntry.init)
        }
    }
}

/// One line of a fixture list, as a test argument.
struct FixtureEntry: Sendable, CustomTestStringConvertible {
    let json: JSON

    var testDescription: String { String(json.serialized().prefix(90)) }
    func int(_ key: String) -> Int { json[key]?.int ?? -1 }
    func string(_ key: String) -> String { json[key]?.string ?? "" }
    func ints(_ key: String) -> [Int] { (json[key]?.array ?? []).compactMap(\.int) }
}
