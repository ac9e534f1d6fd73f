import Basics
import Testing

/// A reader for the few tensors that these tests compare with: format as in the safetensors README.
struct SafetensorsFixture {
    private let header: JSON
    private let data: [UInt8]

    init(_ path: String) throws {
        let bytes = try Files.read(path)
        let length = (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
        header = try JSON.parse(Array(bytes[8..<(8 + length)]), source: path)
        data = Array(bytes[(8 + length)...])
    }

    var names: [String] { (header.object?.keys ?? []).filter { $0 != "__metadata__" } }

    func shape(_ name: String) throws -> [Int] {
        try #require(header[name]?["shape"]?.array).compactMap(\.int)
    }

    func bytes(_ name: String) throws -> [UInt8] {
        let offsets = try #require(header[name]?["data_offsets"]?.array).compactMap(\.int)
        return Array(data[offsets[0]..<offsets[1]])
    }

    func floats(_ name: String) throws -> [Float] {
        try bytes(name).withUnsafeBytes { raw in
            (0..<(raw.count / 4)).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
    }
}
