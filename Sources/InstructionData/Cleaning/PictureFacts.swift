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
                if wanted.hashes { digest = RandomStream.mixed(of: bytes) }
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
}

/// Facts of pictures by reference: each picture is looked at once, on whatever thread asks first.
final class PictureLedger: Sendable {
    /// A part of the pictures, so that threads seldom wait for each other.
    private final class Part: Sendable {
        /// Nil: named, and not looked at in this run.
        let facts = Mutex<[ImageReference: PictureFacts?]>([:])
    }

    private let parts = (0..<64).map { _ in Part() }
    private let store = ImageStore()
    private let wanted: PictureFacts.Wanted
    private let folder: String

    /// - Parameter folder: what the references are relative to.
    init(_ wanted: PictureFacts.Wanted, under folder: String) { (self.wanted, self.folder) = (wanted, folder) }

    /// What is known of a picture, found out now if need be.
    subscript(image: ImageReference) -> PictureFacts {
        let part = part(of: image)
        if let known = part.facts.withLock({ $0[image] ?? nil }) { return known }
        // Two threads that ask for one picture at once find the same.
        let fact = PictureFacts(image.resolved(under: folder), in: store, wanted)
        part.facts.withLock { $0[image] = fact }
        return fact
    }

    private func part(of image: ImageReference) -> Part { parts[(image.hashValue >> 8) & 63] }

    /// Counts a picture without a look.
    func note(_ image: ImageReference) {
        part(of: image).facts.withLock { facts in
            if facts[image] == nil { facts.updateValue(nil, forKey: image) }
        }
    }

    /// Calls a body with the facts of every picture that was looked at, in no order.
    func forEach(_ body: (PictureFacts) -> Void) {
        for part in parts { part.facts.withLock { facts in for fact in facts.values { if let fact { body(fact) } } } }
    }

    /// How many pictures were looked at, those of an earlier run included.
    var count: Int { parts.reduce(0) { $0 + $1.facts.withLock { $0.count } } }
}
