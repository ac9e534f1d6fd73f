import Synchronization

/// Processed pictures kept in memory up to a limit, so that a small set is decoded once rather than every epoch.
///
/// It fills until the limit and evicts nothing: shuffled epochs touch every picture equally often, so a fixed part
/// serves as well as any other, and nothing is decoded only to be thrown out.
public final class PictureCache: Sendable {
    /// Bytes of pixels that may be kept.
    public let byteLimit: Int
    private let state = Mutex(State())

    private struct State {
        var pixels: [ImageReference: Pixels] = [:]
        var bytes = 0
        var hits = 0
    }

    /// An empty cache; a limit of 0 keeps nothing.
    public init(byteLimit: Int) { self.byteLimit = byteLimit }

    /// Bytes of pixels kept, and how often a picture was found.
    public var usage: (bytes: Int, pictures: Int, hits: Int) {
        state.withLock { ($0.bytes, $0.pixels.count, $0.hits) }
    }

    func pixels(of image: ImageReference) -> Pixels? {
        state.withLock { state in
            let found = state.pixels[image]
            if found != nil { state.hits += 1 }
            return found
        }
    }

    func store(_ pixels: Pixels, of image: ImageReference) {
        let size = pixels.count * MemoryLayout<Float>.stride
        state.withLock { state in
            guard state.pixels[image] == nil, state.bytes + size <= byteLimit else { return }
            state.pixels[image] = pixels
            state.bytes += size
        }
    }
}
