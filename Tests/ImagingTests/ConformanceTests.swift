import Basics
import Imaging
import TestSupport
import Testing

/// The shared set of good, odd and broken files (`image-conformance`), each as its manifest says.
struct ConformanceTests {
    static let folder = Fixtures.data("image-conformance")

    struct Entry: Sendable, CustomTestStringConvertible {
        let json: JSON
        var file: String { json["file"]?.string ?? "?" }
        var testDescription: String { file }
    }

    static let entries: [Entry] = {
        guard let folder, let manifest = try? JSON.read(Paths.join(folder, "manifest.json")) else { return [] }
        return (manifest["files"]?.array ?? []).map(Entry.init)
    }()

    @Test(.enabled(if: folder != nil))
    func manifestIsRead() {
        #expect(!Self.entries.isEmpty)
    }

    @Test(.enabled(if: folder != nil), arguments: entries)
    func fileIsAsTheManifestSays(_ entry: Entry) throws {
        let path = Paths.join(try #require(Self.folder), entry.file)
        let expected = try #require(entry.json["expect"]?.string)
        let inspection: ImageInspection
        do {
            inspection = try ImageInspection(path: path)
        } catch let error as ImageError {
            #expect(expected != "pixels", "\(error)")
            #expect(error.problem.contains(entry.file))
            return
        }
        #expect(expected != "error", "should have been refused")
        // "either" without a hash: decoders differ on what a damaged file shows.
        guard let digest = entry.json["rgb_sha256"]?.string else { return }
        #expect(inspection.digest == digest)
        #expect(inspection.header.size.width == entry.json["width"]?.int)
        #expect(inspection.header.size.height == entry.json["height"]?.int)
        #expect(inspection.header.orientation.rawValue == entry.json["exif_orientation"]?.int ?? 1)
        if let png = entry.json["png"] {
            #expect(inspection.header.bitDepth == png["bit_depth"]?.int)
            #expect(inspection.header.isProgressive == png["interlaced"]?.bool)
        }
        if let jpeg = entry.json["jpeg"] {
            #expect(inspection.header.isProgressive == (jpeg["prog"]?.int == 1))
        }
    }
}
