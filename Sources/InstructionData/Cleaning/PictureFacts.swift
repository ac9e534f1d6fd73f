import Basics
import Imaging

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

/// Facts of pictures by reference: each picture is looked at once, those that are new side by side.
struct PictureLedger {
    private(set) var facts: [ImageReference: PictureFacts] = [:]
    private let store = ImageStore()
    private let wanted: PictureFacts.Wanted

    init(_ wanted: PictureFacts.Wanted) { self.wanted = wanted }

    /// Pictures that are not known yet, each once, in order.
    mutating func look(at images: [ImageReference], workers: Int) throws -> [ImageReference] {
        var seen: Set<ImageReference> = []
        let fresh = images.filter { facts[$0] == nil && seen.insert($0).inserted }
        let pieces = stride(from: 0, to: fresh.count, by: 8).map { $0..<min(fresh.count, $0 + 8) }
        let (store, wanted) = (store, wanted)
        let found = try Parallel.map(pieces, workers: workers) { piece in
            piece.map { PictureFacts(fresh[$0], in: store, wanted) }
        }
        for (image, fact) in zip(fresh, found.flatMap { $0 }) { facts[image] = fact }
        return fresh
    }
}
