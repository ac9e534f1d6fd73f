import Basics

/// The parsed and checked header of a safetensors file.
///
/// Layout (github.com/huggingface/safetensors, README): eight bytes of little-endian header length, a JSON object from
/// names to `dtype`, `shape` and `data_offsets`, then the data. Offsets count from the end of the header; the ranges
/// must cover the data exactly, without overlap or gap, which also rules out hiding other content in the file.
struct SafetensorsHeader {
    /// In the order of the header.
    var entries: [TensorEntry] = []
    var metadata: [String: String] = [:]

    /// The longest header accepted, about 250,000 tensors.
    static let maximumLength = 32 << 20
    /// The most JSON values in a header, eight a tensor, which bounds the memory that a hostile one costs.
    static let maximumValues = 2 << 20

    private let path: String

    /// Parses the header of a whole file.
    init(_ bytes: UnsafeRawBufferPointer, path: String) throws(CheckpointError) {
        self.path = path
        let length = try Self.length(bytes, path: path)
        let dataStart = 8 + length
        let dataLength = bytes.count - dataStart
        for (name, value) in try parse(UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart])) {
            if name == "__metadata__" {
                metadata = try parseMetadata(value)
            } else {
                entries.append(try entry(name, value, dataStart: dataStart, dataLength: dataLength))
            }
        }
        try checkRanges(dataStart: dataStart, end: bytes.count)
    }

    private static func length(_ bytes: UnsafeRawBufferPointer, path: String) throws(CheckpointError) -> Int {
        guard bytes.count >= 8 else {
            throw CheckpointError(
                .truncated, path, "has \(bytes.count.counted("byte")), too few for a safetensors file",
                fix: CheckpointError.copyAgain)
        }
        let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        let startsAsHeader = bytes.count > 8 && bytes[8] == UInt8(ascii: "{")
        if !startsAsHeader || length > UInt64(maximumLength), let foreign = ForeignFile(bytes) {
            throw foreign.error(path)
        }
        guard length <= UInt64(maximumLength) else {
            throw CheckpointError(
                .headerLength, path, "announces a header of \(length) bytes; at most \(maximumLength) are accepted",
                fix: startsAsHeader ? CheckpointError.copyAgain : "check that this is a safetensors file")
        }
        guard length <= UInt64(bytes.count - 8) else {
            throw CheckpointError(
                .truncated, path, "announces a header of \(length) bytes, but only \(bytes.count - 8) follow",
                fix: CheckpointError.copyAgain)
        }
        guard length >= 2 else {
            throw CheckpointError(
                .header, path, "announces a header of \(length) bytes, too few for one",
                fix: "check that this is a safetensors file")
        }
        guard startsAsHeader else {
            throw CheckpointError(
                .header, path, "the header does not start with \"{\"", fix: "check that this is a safetensors file")
        }
        return Int(length)
    }

    private func parse(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) -> JSONObject {
        let value: JSON
        do throws(JSONError) {
            value = try JSON.parse(bytes, source: "header", limits: JSONLimits(depth: 8, values: Self.maximumValues))
        } catch {
            throw failure(.header, "the header cannot be read: \(error.problem)", fix: CheckpointError.copyAgain)
        }
        guard case .object(let object) = value else {
            throw failure(.header, "the header is \(value.kind), not an object")
        }
        return object
    }

    private func failure(
        _ fault: CheckpointError.Fault, tensor: String? = nil, _ reason: String, fix: String? = nil
    ) -> CheckpointError {
        CheckpointError(
            fault, path, tensor: tensor, reason,
            fix: fix ?? "the file is damaged, or was made by a faulty writer: save or download it again")
    }

    private func parseMetadata(_ value: JSON) throws(CheckpointError) -> [String: String] {
        guard let object = value.object else {
            throw failure(.header, "\"__metadata__\" is \(value.kind), not an object")
        }
        var metadata: [String: String] = [:]
        for (key, value) in object {
            guard let text = value.string else {
                throw failure(
                    .header, "\"__metadata__\" holds \(value.kind) under \"\(key)\"; only strings may stand there")
            }
            metadata[key] = text
        }
        return metadata
    }

    private func entry(
        _ name: String, _ value: JSON, dataStart: Int, dataLength: Int
    ) throws(CheckpointError) -> TensorEntry {
        guard let object = value.object else {
            throw failure(.header, tensor: name, "is described by \(value.kind), not by an object")
        }
        for key in object.keys where !["dtype", "shape", "data_offsets"].contains(key) {
            throw failure(.header, tensor: name, "has the unknown property \"\(key)\"")
        }
        let element = try element(name, object["dtype"])
        let shape = try shape(name, object["shape"])
        var byteCount = element.byteCount
        for extent in shape {
            let (product, overflow) = byteCount.multipliedReportingOverflow(by: extent)
            guard !overflow else {
                throw failure(.shape, tensor: name, "the shape \(shape) has more elements than can be counted")
            }
            byteCount = product
        }
        let range = try range(name, object["data_offsets"], dataLength: dataLength)
        guard range.count == byteCount else {
            throw failure(
                .shape, tensor: name,
                "the shape \(shape) of \(element.rawValue) takes \(byteCount) bytes, but the offsets span \(range.count)"
            )
        }
        return TensorEntry(
            name: name, element: element, shape: shape,
            byteRange: dataStart + range.lowerBound..<dataStart + range.upperBound)
    }

    private func element(_ name: String, _ value: JSON?) throws(CheckpointError) -> TensorElement {
        guard let text = value?.string else {
            throw failure(.element, tensor: name, "\"dtype\" is \(value?.kind ?? "missing"), not a string")
        }
        guard let element = TensorElement(rawValue: text) else {
            let known = TensorElement.allCases.map(\.rawValue)
            throw failure(
                .element, tensor: name, "the element type \"\(text.prefix(40))\" is not supported",
                fix: "save the checkpoint with one of these types: \(known.joined(separator: ", "))")
        }
        return element
    }

    private func shape(_ name: String, _ value: JSON?) throws(CheckpointError) -> [Int] {
        guard let array = value?.array else {
            throw failure(.shape, tensor: name, "\"shape\" is \(value?.kind ?? "missing"), not an array")
        }
        guard array.count <= 16 else {
            throw failure(.shape, tensor: name, "has \(array.count) axes; at most 16 are accepted")
        }
        var shape: [Int] = []
        for extent in array {
            guard case .integer(let extent) = extent, extent >= 0, let extent = Int(exactly: extent) else {
                throw failure(.shape, tensor: name, "\"shape\" holds \(extent.serialized().prefix(40)), not a size")
            }
            shape.append(extent)
        }
        return shape
    }

    private func range(
        _ name: String, _ value: JSON?, dataLength: Int
    ) throws(CheckpointError) -> Range<Int> {
        guard let array = value?.array, array.count == 2, case .integer(let start) = array[0],
            case .integer(let end) = array[1]
        else {
            throw failure(.range, tensor: name, "\"data_offsets\" is not an array of two integers")
        }
        guard start >= 0, end >= start else {
            throw failure(.range, tensor: name, "the offsets [\(start), \(end)] are not in order")
        }
        guard end <= Int64(dataLength) else {
            throw failure(
                .truncated, tensor: name, "ends at byte \(end) of the data, which has only \(dataLength)",
                fix: CheckpointError.copyAgain)
        }
        return Int(start)..<Int(end)
    }

    /// The ranges, in order of their starts, must follow each other from the header's end to the file's.
    private func checkRanges(dataStart: Int, end: Int) throws(CheckpointError) {
        var position = dataStart
        var previous: String?
        let sorted = entries.sorted {
            ($0.byteRange.lowerBound, $0.byteRange.upperBound) < ($1.byteRange.lowerBound, $1.byteRange.upperBound)
        }
        for entry in sorted {
            let start = entry.byteRange.lowerBound
            if start < position {
                throw failure(
                    .range, tensor: entry.name,
                    "its bytes overlap those of \"\(previous ?? "")\" by \(position - start)")
            }
            if start > position {
                throw failure(.range, tensor: entry.name, "\(start - position) bytes before it belong to no tensor")
            }
            position = entry.byteRange.upperBound
            previous = entry.name
        }
        guard position == end else {
            throw failure(.range, "\(end - position) bytes at the end belong to no tensor")
        }
    }
}
