import Basics

/// Builds safetensors files byte by byte, so that tests do not depend on the writer they test.
struct SafetensorsBytes {
    var header: String
    var data: [UInt8] = []
    /// Overrides the length that is announced.
    var announcedLength: UInt64?

    var bytes: [UInt8] {
        let text = Array(header.utf8)
        let length = announcedLength ?? UInt64(text.count)
        return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) } + text + data
    }

    /// Two tensors: `a` of float32 [2, 3] with values 0 to 5 and `b` of int64 [2] with values -1 and 7.
    static let valid: SafetensorsBytes = {
        let floats = (0..<6).flatMap { withUnsafeBytes(of: Float($0).bitPattern.littleEndian, Array.init) }
        let integers = [Int64(-1), 7].flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) }
        return SafetensorsBytes(
            header: """
                {"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},\
                "b":{"dtype":"I64","shape":[2],"data_offsets":[24,40]}}
                """, data: floats + integers)
    }()

    /// The valid file with a part of its header replaced.
    static func replacing(_ old: String, _ new: String) -> SafetensorsBytes {
        var file = valid
        guard let range = file.header.firstRange(of: old) else { preconditionFailure("\(old) is not in the header") }
        file.header.replaceSubrange(range, with: new)
        return file
    }

    func write(to path: String) throws { try Files.write(bytes, to: path) }
}
