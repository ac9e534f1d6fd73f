import Basics
import Imaging
import Synchronization

/// What cleaning needs to know of a picture.
struct PictureFacts: Sendable {
    var width = 0
    var height = 0
    var hash: PerceptualHash?
    /// Hash of the file's bytes.
    var digest: UInt64?
    var fault: String?

    /// What is to be found out; more costs more time.
    struct Wanted: Sendable {
        var decodes = false
        var hashes = false
    }

    /// Looks at a picture.
    init(_ image: ImageReference, in store: ImageStore, _ wanted: Wanted) {
        do {
            try store.withBytes(of: image) { bytes in
                let header = try ImageHeader(bytes: bytes, source: image.description)
                (width, height) = (header.size.width, header.size.height)
                if wanted.hashes { digest = Self.digest(bytes) }
                guard wanted.decodes || wanted.hashes else { return }
                var options = DecodingOptions()
                // All of a JPEG file is read either way; without a hash to take, few of its pixels are made.
                if !wanted.hashes { options.sufficientSize = PixelSize(width: 1, height: 1) }
                let picture = try ImageDecoder.decode(bytes, source: image.description, options: options)
                if wanted.hashes { hash = try PerceptualHash(picture) }
            }
        } catch {
            fault = SampleSource.words(of: error).problem
        }
    }

    /// 64 bits of the bytes, eight at a time.
    private static func digest(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ UInt64(bytes.count)
        var offset = 0
        while offset + 8 <= bytes.count {
            hash = RandomStream.mixed(hash, bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        for byte in bytes[offset...] { hash = RandomStream.mixed(hash, UInt64(byte)) }
        return hash
    }
}

/// Facts of pictures by reference: each picture is looked at once, on whatever thread asks first.
final class PictureLedger: Sendable {
    /// A part of the pictures, so that threads seldom wait for each other.
    private final class Part: Sendable {
        let facts = Mutex<[ImageReference: PictureFacts]>([:])
    }

    private let parts = (0..<64).map { _ in Part() }
    private let store = ImageStore()
    private let wanted: PictureFacts.Wanted
    private let folder: String

    /// - Parameter folder: what the references are relative to.
    init(_ wanted: PictureFacts.Wanted, under folder: String) { (self.wanted, self.folder) = (wanted, folder) }

    /// What is known of a picture, found out now if need be.
    subscript(image: ImageReference) -> PictureFacts {
        let part = parts[(image.hashValue >> 8) & 63]
        if let known = part.facts.withLock({ $0[image] }) { return known }
        // Two threads that ask for one picture at once find the same.
        let fact = PictureFacts(image.resolved(under: folder), in: store, wanted)
        part.facts.withLock { $0[image] = fact }
        return fact
    }

    /// How many pictures were looked at.
    var count: Int { parts.reduce(0) { $0 + $1.facts.withLock { $0.count } } }
}
