import Basics
import NeuralNetwork
package import TensorCore

/// How the weights of a frozen base are kept.
package enum QuantizedForm: String, Sendable, CaseIterable {
    /// 4 bits, 16 quantiles of the normal distribution (Dettmers et al. 2023).
    case nf4
    /// 4 bits, a float of one sign, two exponent and one mantissa bit, as bitsandbytes has it.
    case fp4
    /// 8 bits, even steps.
    case int8

    /// Weights that share a scale.
    package static let blockLength = 64

    /// The values of the codes, for 4 bits.
    package var values: [Float] {
        switch self {
        case .nf4:
            [
                -1.0, -0.696_192_800_998_687_7, -0.525_073_051_452_636_7, -0.394_917_488_098_144_53,
                -0.284_441_381_692_886_35, -0.184_773_430_228_233_34, -0.091_050_036_251_544_95, 0.0,
                0.079_580_299_556_255_34, 0.160_930_201_411_247_25, 0.246_112_301_945_686_34, 0.337_915_241_718_292_24,
                0.440_709_829_330_444_34, 0.562_617_003_917_694_1, 0.722_956_836_223_602_3, 1.0,
            ]
        case .fp4:
            // The numbers of bitsandbytes' create_fp4_map in the order of its codes, divided by the largest.
            [0, 0.005_208_333_3, 0.666_666_7, 1, 0.333_333_34, 0.5, 0.166_666_67, 0.25].flatMap { [$0] }
                + [-0.0, -0.005_208_333_3, -0.666_666_7, -1, -0.333_333_34, -0.5, -0.166_666_67, -0.25]
        case .int8: []
        }
    }
}

/// A weight matrix in blocks of 64 codes with a scale each; scales in 8 bits themselves with double quantisation.
package final class QuantizedWeight: WeightSource {
    package let shape: Shape
    package let form: QuantizedForm
    /// Codes, packed into elements of four bytes; of two 4-bit codes in a byte the first is the high half.
    package let codes: Tensor
    /// Largest magnitude of each block, `[blocks]`; nil with double quantisation.
    package let scales: Tensor?
    /// 8-bit codes of scale − offset, blocks of 256, with double quantisation.
    package let scaleCodes: Tensor?
    /// Largest magnitude of each block of scales, and the offset as the last element.
    package let outerScales: Tensor?
    package let backend: any Backend

    /// Quantises a weight.
    package init(_ weight: Tensor, form: QuantizedForm, doubly: Bool) {
        shape = weight.shape
        self.form = form
        backend = weight.backend
        let count = weight.count
        let length = QuantizedForm.blockLength
        let blocks = (count + length - 1) / length
        var scales = [Float](repeating: 0, count: blocks)
        let bytes = form == .int8 ? count : (count + 1) / 2
        codes = backend.empty([(bytes + 3) / 4], .int32)
        let source = weight.dtype == .float32 ? weight : Tensor(weight.floats, shape: weight.shape, on: backend)
        nonisolated(unsafe) let values = UnsafePointer(source.floatPointer)
        nonisolated(unsafe) let packed = codes.pointer.assumingMemoryBound(to: UInt8.self)
        for index in bytes..<(bytes + 3) / 4 * 4 { packed[index] = 0 }
        let finder = CodeFinder(form)
        // A piece is whole blocks, and so whole bytes.
        let piece = 1_024
        scales.withUnsafeMutableBufferPointer { buffer in
            nonisolated(unsafe) let scales = buffer
            try? Parallel.forEach((blocks + piece - 1) / piece, workers: weight.backend.threads) { index in
                for block in index * piece..<min((index + 1) * piece, blocks) {
                    let start = block * length
                    let part = UnsafeBufferPointer(start: values + start, count: min(length, count - start))
                    scales[block] =
                        form == .int8
                        ? Self.roundBlock(part, into: packed + start)
                        : finder.encodeBlock(part, into: packed + start / 2)
                }
            }
        }
        guard doubly else {
            self.scales = Tensor(scales, shape: [blocks], on: backend)
            scaleCodes = nil
            outerScales = nil
            return
        }
        let outer = Self.doublyQuantized(scales, on: backend)
        (self.scales, scaleCodes, outerScales) = (nil, outer.codes, outer.scales)
    }

    /// Writes 8-bit codes of a block.
    /// - Returns: its scale.
    private static func roundBlock(_ values: UnsafeBufferPointer<Float>, into codes: UnsafeMutablePointer<UInt8>)
        -> Float
    {
        let scale = values.largestMagnitude
        let divisor = scale == 0 ? 1 : scale
        for index in values.indices {
            codes[index] = UInt8(bitPattern: Int8((values[index] / divisor * 127).rounded()))
        }
        return scale
    }

    private static func doublyQuantized(_ scales: [Float], on backend: any Backend) -> (codes: Tensor, scales: Tensor) {
        let offset = Float(scales.reduce(0.0) { $0 + Double($1) } / Double(max(1, scales.count)))
        let groups = (scales.count + 255) / 256
        var outer = [Float](repeating: 0, count: groups + 1)
        let codes = backend.empty([(scales.count + 3) / 4], .int32)
        let packed = codes.pointer.assumingMemoryBound(to: UInt8.self)
        for index in 0..<(scales.count + 3) / 4 * 4 { packed[index] = 0 }
        for group in 0..<groups {
            let range = group * 256..<min((group + 1) * 256, scales.count)
            let largest = range.reduce(Float(0)) { max($0, (scales[$1] - offset).magnitude) }
            outer[group] = largest
            for index in range {
                packed[index] = DynamicMap.index(
                    of: (scales[index] - offset) / (largest == 0 ? 1 : largest), in: DynamicMap.signed)
            }
        }
        outer[groups] = offset
        return (codes, Tensor(outer, shape: [groups + 1], on: backend))
    }

    package var coded: CodedMatrix? { CodedMatrix([(codedWeights, shape.rows)], columns: shape.columns) }

    /// Codes and what they mean.
    private var codedWeights: CodedWeights {
        let scales: CodedWeights.Scales =
            if let scales { .plain(scales) } else {
                .coded(scaleCodes!, values: DynamicMap.signed, outer: outerScales!)
            }
        return CodedWeights(codes: codes, values: form == .int8 ? nil : form.values, scales: scales)
    }

    /// The scale of every block.
    package var blockScales: [Float] {
        let coded = codedWeights
        let blocks = (shape.count + QuantizedForm.blockLength - 1) / QuantizedForm.blockLength
        return (0..<blocks).map { coded.scale(ofBlock: $0) }
    }

    package func write(into tensor: Tensor) { backend.widen(codedWeights, into: tensor) }

    /// Bytes that the weight takes.
    package var byteCount: Int {
        [codes, scales, scaleCodes, outerScales].reduce(0) {
            $0 + ($1.map { $0.dtype.byteCount(of: $0.count) } ?? 0)
        }
    }

    /// What a checkpoint must hold.
    var tensors: [(name: String, tensor: Tensor)] {
        [("codes", codes), ("scales", scales), ("scaleCodes", scaleCodes), ("outerScales", outerScales)]
            .compactMap { name, tensor in tensor.map { (name, $0) } }
    }
}

extension UnsafeBufferPointer<Float> {
    fileprivate var largestMagnitude: Float {
        var largest: Float = 0
        for value in self where value.magnitude > largest { largest = value.magnitude }
        return largest
    }
}

/// Finds the nearest of 16 values; a number between two takes the lower.
private struct CodeFinder: Sendable {
    /// Codes by the order of their values.
    private let codes: [UInt8]
    /// Where a value ends and the next begins, rising.
    private let middles: [Float]

    init(_ form: QuantizedForm) {
        // −0 is never chosen: 0 is.
        var all: [(value: Float, code: UInt8)] = []
        for (code, value) in form.values.enumerated() where !(value == 0 && value.sign == .minus) {
            all.append((value, UInt8(code)))
        }
        all.sort { $0.value < $1.value }
        codes = all.map(\.code)
        middles = zip(all, all.dropFirst()).map { a, b in Float((Double(a.value) + Double(b.value)) / 2) }
    }

    /// Writes 4-bit codes of a block, two a byte, the first in the high half.
    /// - Returns: its scale.
    func encodeBlock(_ values: UnsafeBufferPointer<Float>, into bytes: UnsafeMutablePointer<UInt8>) -> Float {
        let scale = values.largestMagnitude
        let divisor = scale == 0 ? 1 : scale
        // Eight at a time: the middles below a number are counted, without a branch.
        for start in stride(from: 0, to: values.count, by: 8) {
            var eight = SIMD8<Float>()
            let count = min(8, values.count - start)
            for lane in 0..<count { eight[lane] = values[start + lane] }
            eight /= divisor
            var places = SIMD8<Int32>()
            for middle in middles { places.replace(with: places &+ 1, where: eight .> middle) }
            for lane in stride(from: 0, to: count, by: 2) {
                let low = lane + 1 < count ? codes[Int(places[lane + 1])] : 0
                bytes[(start + lane) / 2] = codes[Int(places[lane])] << 4 | low
            }
        }
        return scale
    }
}
