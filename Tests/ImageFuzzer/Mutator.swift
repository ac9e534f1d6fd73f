import Basics
import Imaging

/// Makes one mutated file; the same seed and number make the same one.
struct Mutator {
    private var random: RandomGenerator
    private let corpus: Corpus

    init(seed: UInt64, number: Int, corpus: Corpus) {
        random = RandomGenerator(seed: seed, stream: UInt64(number))
        self.corpus = corpus
    }

    mutating func next() -> [UInt8] {
        var bytes = pick()
        let rounds = 1 + (random.below(3) == 0 ? random.below(4) : 0)
        for _ in 0..<rounds where !bytes.isEmpty {
            switch random.below(10) {
            case 0: flipBits(&bytes)
            case 1: setBytes(&bytes)
            case 2: truncate(&bytes)
            case 3: splice(&bytes)
            case 4: repeatPart(&bytes)
            default:
                let isPNG = bytes.withUnsafeBytes { ImageFormat(magic: $0) } == .png
                if isPNG { mutatePNG(&bytes) } else { mutateJPEG(&bytes) }
            }
        }
        return bytes
    }

    private mutating func pick() -> [UInt8] { corpus.files[random.below(corpus.files.count)] }

    private mutating func byte() -> UInt8 {
        let interesting: [UInt8] = [0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 64, 127, 128, 200, 254, 255]
        return random.below(3) == 0 ? UInt8(random.below(256)) : interesting[random.below(interesting.count)]
    }

    private mutating func flipBits(_ bytes: inout [UInt8]) {
        for _ in 0...random.below(8) { bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8)) }
    }

    private mutating func setBytes(_ bytes: inout [UInt8]) {
        for _ in 0...random.below(4) { bytes[random.below(bytes.count)] = byte() }
    }

    private mutating func truncate(_ bytes: inout [UInt8]) {
        bytes.removeLast(1 + random.below(bytes.count))
    }

    private mutating func splice(_ bytes: inout [UInt8]) {
        let other = pick()
        guard !other.isEmpty else { return }
        bytes = Array(bytes.prefix(random.below(bytes.count + 1)) + other.dropFirst(random.below(other.count)))
    }

    private mutating func repeatPart(_ bytes: inout [UInt8]) {
        let start = random.below(bytes.count), length = 1 + random.below(min(400, bytes.count - start))
        let part = Array(bytes[start..<(start + length)])
        let times = 1 + random.below(random.below(20) == 0 ? 200 : 3)
        let at = random.below(bytes.count + 1)
        bytes.insert(contentsOf: Array(repeatElement(part, count: times).joined()), at: at)
    }
}

extension Mutator {
    /// Changes a chunk (its data, type, length or place) and mostly makes its checksum right again, so that the change
    /// gets past the first check.
    private mutating func mutatePNG(_ bytes: inout [UInt8]) {
        var chunks = PNGChunk.split(bytes)
        guard !chunks.isEmpty else { return flipBits(&bytes) }
        // The header decides most of what follows.
        let index = random.below(3) == 0 ? 0 : random.below(chunks.count)
        switch random.below(6) {
        case 0, 1, 2:
            guard !chunks[index].data.isEmpty else { break }
            if index == 0 && chunks[0].data.count == 13 {
                // Small sizes, and every depth, colour type and interlacing.
                let field = [3, 7, 8, 9, 12][random.below(5)]
                chunks[0].data[field] =
                    field < 8 ? UInt8(random.below(70)) : [0, 1, 2, 3, 4, 6, 8, 16][random.below(8)]
            } else {
                for _ in 0...random.below(6) { chunks[index].data[random.below(chunks[index].data.count)] = byte() }
            }
        case 3: chunks.remove(at: index)
        case 4: chunks.insert(chunks[index], at: random.below(chunks.count + 1))
        default:
            let kinds = [
                "tRNS", "PLTE", "IDAT", "eXIf", "zTXt", "iCCP", "sBIT", "bKGD", "acTL", "fcTL", "fdAT", "IEND",
            ]
            chunks[index].kind = Array(kinds[random.below(kinds.count)].utf8)
        }
        let keepsChecksums = random.below(8) == 0
        bytes = Array(bytes.prefix(8)) + chunks.flatMap { $0.bytes(keepingChecksum: keepsChecksums) }
    }

    /// Changes a marker segment: its code, length, contents or place.
    private mutating func mutateJPEG(_ bytes: inout [UInt8]) {
        // Offsets of the markers in front of the first scan, and of all 0xff codes behind it.
        let markers = bytes.indices.dropLast().filter {
            bytes[$0] == 0xff && bytes[$0 + 1] != 0 && bytes[$0 + 1] != 0xff
        }
        guard let marker = markers.isEmpty ? nil : markers[random.below(markers.count)] else {
            return flipBits(&bytes)
        }
        let length = marker + 3 < bytes.count ? Int(bytes[marker + 2]) << 8 | Int(bytes[marker + 3]) : 0
        let end = min(bytes.count, marker + 2 + length)
        switch random.below(7) {
        case 0:
            let codes: [UInt8] = [
                0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc9, 0xca, 0xcc, 0xd0, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xe0, 0xe1,
                0xee,
            ]
            bytes[marker + 1] = codes[random.below(codes.count)]
        case 1 where marker + 3 < bytes.count: bytes[marker + 2 + random.below(2)] = byte()
        case 2, 3, 4:
            let low = min(marker + 4, bytes.count - 1), room = max(1, min(end, bytes.count) - low)
            for _ in 0...random.below(4) { bytes[min(low + random.below(room), bytes.count - 1)] = byte() }
        case 5 where end > marker: bytes.removeSubrange(marker..<end)
        default:
            let part = Array(bytes[marker..<max(marker, end)])
            bytes.insert(contentsOf: part, at: markers[random.below(markers.count)])
        }
    }
}
