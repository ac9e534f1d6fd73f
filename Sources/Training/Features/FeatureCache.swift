import Basics
import NeuralNetwork
import TensorCore
import VisionLanguage

/// What a frozen vision tower makes of pictures, kept on disk: from the second epoch on the tower does not run.
///
/// A picture's file is named by the digest of its pixels, in a folder named by the digest of the tower, so what is read back is what the
/// tower would give, bit for bit, and a changed tower, processor or augmentation finds nothing. A row of the tower's result
/// does not depend on the other pictures of its batch.
final class FeatureCache {
    private let folder: String
    private let byteLimit: Int
    private let workers: Int
    private let backend: any Backend
    /// Bytes of the files that are there.
    private(set) var byteCount: Int
    /// Pictures that were read back, and that the tower had to run for.
    private(set) var hits = 0
    private(set) var misses = 0
    private var isFull = false
    private let configuration: ModelConfiguration

    /// Opens the folder of a tower's features.
    ///
    /// - Parameters:
    ///   - root: folder that holds the folders of all towers.
    ///   - byteLimit: largest size of this tower's files together; more pictures are computed anew each time.
    init(_ root: String, model: VisionLanguageModel, byteLimit: Int, workers: Int) throws {
        folder = Paths.join(root, FeatureCache.digest(of: model))
        self.byteLimit = byteLimit
        self.workers = workers
        backend = model.backend
        configuration = model.configuration
        try Files.createDirectory(folder)
        try Files.removeLeftovers(in: folder)
        byteCount = 0
        for name in try Files.list(folder) { byteCount += try Files.size(Paths.join(folder, name)) }
    }

    /// The tower's states of a group of pictures, `[pictures · tokens, columns]`; `tower` runs for those that are not on disk.
    func states(of group: PictureGroup, tower: (PictureGroup) -> Tensor) -> Tensor {
        let size = group.count == 0 ? 0 : group.pixels.count / group.count
        let found = read(group, size: size)
        let missing = found.indices.filter { found[$0].states == nil }
        hits += found.count - missing.count
        misses += missing.count
        guard !missing.isEmpty else { return joined(found.compactMap(\.states)) }
        let rest = PictureGroup(
            height: group.height, width: group.width, count: missing.count,
            pixels: missing.flatMap { group.pixels[$0 * size..<($0 + 1) * size] }, rows: [])
        let computed = tower(rest)
        let values = computed.floats
        let length = values.count / missing.count
        var all = found.map(\.states)
        for (place, index) in missing.enumerated() {
            all[index] = StoredFeatures(
                columns: computed.shape.columns, values: Array(values[place * length..<(place + 1) * length]))
        }
        write(missing.compactMap { index in all[index].map { (found[index].name, $0) } })
        if missing.count == group.count { return computed }
        return joined(all.compactMap { $0 })
    }

    /// Names and, where they are on disk, states of a group's pictures.
    private func read(_ group: PictureGroup, size: Int) -> [(name: String, states: StoredFeatures?)] {
        let folder = folder
        let shape = shape(height: group.height, width: group.width)
        let result = try? Parallel.map(Array(0..<group.count), workers: workers) { index in
            var hash = SHA256()
            withUnsafeBytes(of: (UInt64(group.height).littleEndian, UInt64(group.width).littleEndian)) {
                hash.update($0)
            }
            group.pixels[index * size..<(index + 1) * size].withUnsafeBytes { hash.update($0) }
            let name = SHA256.hex(hash.finish()) + ".features"
            // A file that cannot be read, or holds features of another shape, is a picture that is computed and written again.
            let states = try? StoredFeatures(file: Paths.join(folder, name))
            let fits = states.map { ($0.values.count / $0.columns, $0.columns) == shape } ?? false
            return (name: name, states: fits ? states : nil)
        }
        return result ?? (0..<group.count).map { _ in (name: "", states: nil) }
    }

    /// Rows and columns of the tower's states of one picture.
    private func shape(height: Int, width: Int) -> (rows: Int, columns: Int) {
        guard let vision = configuration.vision else { return (0, 0) }
        let patches = (height / vision.patchSize) * (width / vision.patchSize)
        let hasClassToken = vision.hasClassToken && !configuration.features.dropsClassToken
        return (patches + (hasClassToken ? 1 : 0), vision.hiddenSize)
    }

    /// Writes what there is room for. A full disk ends the writing, not the run.
    private func write(_ fresh: [(name: String, states: StoredFeatures)]) {
        var room: [(name: String, bytes: [UInt8])] = []
        for (name, states) in fresh where !name.isEmpty && !isFull && !room.contains(where: { $0.name == name }) {
            let bytes = states.bytes
            guard byteCount + bytes.count <= byteLimit else {
                isFull = true
                break
            }
            byteCount += bytes.count
            room.append((name, bytes))
        }
        let folder = folder
        do {
            _ = try Parallel.map(room, workers: workers) { try Files.write($0.bytes, to: Paths.join(folder, $0.name)) }
        } catch {
            isFull = true
        }
    }

    private func joined(_ parts: [StoredFeatures]) -> Tensor {
        let columns = parts.first?.columns ?? 1
        let all = backend.empty([parts.reduce(0) { $0 + $1.values.count / columns }, columns])
        var start = 0
        for part in parts {
            let end = start + part.values.count / columns
            part.values.withUnsafeBytes { backend.upload($0, to: all.rows(start..<end)) }
            start = end
        }
        return all
    }
}
