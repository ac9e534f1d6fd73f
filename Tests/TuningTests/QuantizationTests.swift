import Basics
import Checkpointing
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import Tuning
import VisionLanguage

private let goldenFile: String? = Fixtures.golden(holding: "nf4/nf4.safetensors").first.map {
    Paths.join($0, "nf4/nf4.safetensors")
}

/// Four- and eight-bit weights, against bitsandbytes' numbers where they are at hand.
@Suite("Quantized weights")
struct QuantizationTests {
    private let backend = TestBackend.cpu.make()

    @Test(.enabled(if: goldenFile != nil))
    func codesAndScalesAreThoseOfBitsandbytes() throws {
        let file = try TensorFile(try #require(goldenFile))
        let shape = try file.entry("in.weight").shape
        let weight = Tensor(try file.floats("in.weight"), shape: Shape(shape), on: backend)
        #expect(QuantizedForm.nf4.values == (try file.floats("code")))
        #expect(DynamicMap.signed == (try file.floats("nested.code")))
        let single = QuantizedWeight(weight, form: .nf4, doubly: false)
        let packed = try file.integers("packed").map { UInt8($0) }
        #expect(bytes(single.codes, packed.count) == packed)
        #expect(single.blockScales == (try file.floats("absmax")))
        #expect(single.makeTensor().floats == (try file.floats("dequantized")))

        let double = QuantizedWeight(weight, form: .nf4, doubly: true)
        #expect(bytes(double.codes, packed.count) == packed)
        let scaleCodes = try file.integers("nested.absmax_q").map { UInt8($0) }
        #expect(bytes(try #require(double.scaleCodes), scaleCodes.count) == scaleCodes)
        // The mean is a sum in some order: its last bit may differ, and with it those that it is added to.
        let outer = try #require(double.outerScales).floats
        expectClose(outer.dropLast() + [], try file.floats("nested.absmax2"), .ofScale(2e-7), "outer scales")
        expectClose([outer.last!], try file.floats("nested.offset"), .ofScale(2e-7), "offset")
        expectClose(
            double.makeTensor().floats, try file.floats("nested.dequantized"), .ofScale(3e-7), "dequantized")
        // Half a byte a weight, one for each block of 64, four for each 256 of those, and the mean.
        let blocks = (weight.count + 63) / 64
        #expect(double.byteCount <= (weight.count + 1) / 2 + blocks + 4 * (blocks / 256 + 1) + 8)
    }

    @Test(.enabled(if: goldenFile != nil), arguments: [TestBackend.cpu, .reference])
    func mapsOverCodesComputeAndDifferentiate(backend: TestBackend) throws {
        let backend = backend.make()
        let file = try TensorFile(try #require(goldenFile))
        let tolerances = try JSON.read(Paths.join(Paths.parent(file.path), "nf4.json"))["tolerances"]
        func tensor(_ name: String) throws -> Tensor {
            Tensor(try file.floats(name), shape: Shape(try file.entry(name).shape), on: backend)
        }
        let map = Linear(weight: Parameter(try tensor("in.weight"), decays: true, isTrainable: false), bias: nil)
        map.weight.keep(as: QuantizedWeight(map.weight.value, form: .nf4, doubly: true))
        let (x, a, b) = (
            Parameter(try tensor("qlora.x"), decays: false), Parameter(try tensor("qlora.A"), decays: false),
            Parameter(try tensor("qlora.B"), decays: false)
        )
        let settings = try JSON.read(Paths.join(Paths.parent(file.path), "nf4.json"))["settings"]
        let scale = Float((settings?["alpha"]?.double ?? 0) / (settings?["r"]?.double ?? 1))
        var y = map(x.tensor)
        let product = LowRankProduct(a: a.tensor, b: b.tensor, columns: 0..<map.outputs, scale: scale)
        addLowRank(to: &y, LowRankGroup(x.tensor, [product]))
        y.backward(seed: try tensor("qlora.gout"))
        func compare(_ values: [Float], _ name: String) throws {
            let tolerance = try #require(tolerances?[name]?["tol"]?.double, "\(name)")
            expectClose(values, try file.floats(name), .absolute(tolerance), name)
        }
        try compare(y.floats, "qlora.y")
        try compare(try #require(x.gradient).floats, "qlora.grad.x")
        try compare(try #require(a.gradient).floats, "qlora.grad.A")
        try compare(try #require(b.gradient).floats, "qlora.grad.B")
    }

    @Test(arguments: QuantizedForm.allCases, [false, true])
    func everyWeightIsNearAndComesBack(form: QuantizedForm, doubly: Bool) {
        var numbers = NumberStream(seed: 8)
        // Neither rows nor the whole are multiples of a block; a block is zero.
        var values = numbers.values(37 * 29)
        for index in 128..<192 { values[index] = 0 }
        let weight = Tensor(values, shape: [37, 29], on: backend)
        let quantized = QuantizedWeight(weight, form: form, doubly: doubly)
        let back = quantized.makeTensor().floats
        let scales = quantized.blockScales
        let table = form == .int8 ? (-127...127).map { Float($0) / 127 } : form.values
        for (index, value) in values.enumerated() {
            let block = index / QuantizedForm.blockLength
            let largest = values[block * 64..<min(block * 64 + 64, values.count)].map(\.magnitude).max()!
            let nearest = table.map { ($0 * largest - value).magnitude }.min()!
            let allowed = nearest + (scales[block] - largest).magnitude + 2e-6
            #expect((back[index] - value).magnitude <= allowed, "\(index)")
        }
        if !doubly {
            let again = QuantizedWeight(quantized.makeTensor(), form: form, doubly: false)
            #expect(again.codes.integers == quantized.codes.integers, "quantising twice changes nothing")
        }
        let perWeight = Double(quantized.byteCount) / Double(values.count)
        #expect(perWeight < (form == .int8 ? 1.07 : doubly ? 0.55 : 0.6), "\(perWeight) bytes a weight")
    }

    /// Pieces of blocks on several threads, eight numbers at a time, against one number after another; the last block is of any length.
    @Test(arguments: QuantizedForm.allCases, [[3, 5], [64, 64], [1_031, 129], [257, 263], [1, 65_537]])
    func codesAreThoseOfOneNumberAfterAnother(form: QuantizedForm, dimensions: [Int]) {
        var numbers = NumberStream(seed: 12)
        let shape = Shape(dimensions)
        let values = numbers.values(shape.count)
        // -0 is never chosen.
        let codes = form.values.enumerated().filter { $0.element != 0 || $0.element.sign == .plus }
            .sorted { $0.element < $1.element }
        var expected = [UInt8](repeating: 0, count: form == .int8 ? values.count : (values.count + 1) / 2)
        var scales: [Float] = []
        for (index, value) in values.enumerated() {
            if index % 64 == 0 {
                scales.append(values[index..<min(index + 64, values.count)].map(\.magnitude).max()!)
            }
            let share = value / scales[index / 64]
            guard form != .int8 else {
                expected[index] = UInt8(bitPattern: Int8((share * 127).rounded()))
                continue
            }
            // The first code whose middle with the next is not below the number.
            let place = zip(codes, codes.dropFirst()).enumerated().first { _, pair in
                Float((Double(pair.0.element) + Double(pair.1.element)) / 2) >= share
            }
            let code = UInt8(codes[place?.offset ?? codes.count - 1].offset)
            expected[index / 2] |= index % 2 == 0 ? code << 4 : code
        }
        for backend in [TestBackend.cpuOneThread, .cpu, .reference].map({ $0.make() }) {
            let weight = QuantizedWeight(Tensor(values, shape: shape, on: backend), form: form, doubly: false)
            #expect(bytes(weight.codes, expected.count) == expected, "\(backend.threads) threads")
            #expect(weight.blockScales == scales)
        }
    }

    @Test(arguments: QuantizedForm.allCases)
    func narrowCopiesAreTheWideOnesRounded(form: QuantizedForm) {
        var numbers = NumberStream(seed: 9)
        // The last block is of 7 codes.
        let weight = Tensor(numbers.values(37 * 31), shape: [37, 31], on: backend)
        let quantized = QuantizedWeight(weight, form: form, doubly: true)
        let rounded = quantized.makeTensor().floats.map { HalfFloat.float(fromBFloat16: HalfFloat.bfloat16(from: $0)) }
        #expect(quantized.makeTensor(.bfloat16).floats == rounded)
    }

    /// The digest of SHA-256 over paths, shapes and digests of the values, whatever the number of threads.
    @Test func theBaseDigestIsThatOfItsValues() {
        var numbers = NumberStream(seed: 13)
        let (a, b) = (numbers.values(12), numbers.values(640))
        for backend in [TestBackend.cpuOneThread, .cpu].map({ $0.make() }) {
            let narrow = backend.empty([20, 32], .bfloat16)
            backend.convert(Tensor(b, shape: [20, 32], on: backend), into: narrow)
            let tree = ParameterTree([
                ("a", Parameter(Tensor(a, shape: [3, 4], on: backend), decays: true)),
                ("b", Parameter(narrow, decays: true)),
                ("c", Parameter(Tensor(b, shape: [640], on: backend), decays: true)),
            ])
            let lines = tree.entries.map { entry in
                let digest = entry.parameter.value.floats.withUnsafeBytes { SHA256.hex(of: $0) }
                return "\(entry.path) \(entry.parameter.shape) \(digest)\n"
            }
            #expect(BaseDigest.hex(of: tree) == SHA256.hex(of: lines.joined()))
        }
    }

    @Test func quantizedMapsOfOneInputAreOneProduct() throws {
        var numbers = NumberStream(seed: 10)
        let maps = [64, 32, 96].map { outputs in
            let weight = Tensor(numbers.values(outputs * 64), shape: [outputs, 64], on: backend)
            let map = Linear(weight: Parameter(weight, decays: true, isTrainable: false), bias: nil)
            map.weight.keep(as: QuantizedWeight(weight, form: .nf4, doubly: true))
            return map
        }
        let x = Parameter(Tensor(numbers.values(24 * 64), shape: [24, 64], on: backend), decays: false)
        let together = Linear.together(maps, x.tensor)
        let each = maps.map { $0(x.tensor) }
        #expect(together.shape == [24, 192])
        expectClose(together.floats, joinedColumns(each).floats, .ofScale(1e-6), "results")
        let seed = Tensor(numbers.values(24 * 192), shape: [24, 192], on: backend)
        together.backward(seed: seed)
        let gradient = try #require(x.gradient).floats
        x.clearGradient()
        joinedColumns(each).backward(seed: seed)
        expectClose(try #require(x.gradient).floats, gradient, .ofScale(1e-6), "gradients")
    }

    @Test func aTrainedMapIsNeverQuantized() throws {
        let decoder = TinyDecoder.random(on: backend)
        let tuning = try Tuning(
            [
                TuningRule(selector: "language.layers.0", method: FullTuning()),
                TuningRule(selector: "language", method: QLoRA(LoRA(rank: 2))),
            ], tree: decoder.model.parameters, seed: 5)
        tuning.settle()
        for entry in decoder.model.parameters.entries {
            let isMap = entry.path.contains("layers.1") && entry.parameter.shape.rank == 2
            #expect((entry.parameter.source != nil) == isMap, "\(entry.path)")
        }
        tuning.detach()
        #expect(decoder.model.parameters.entries.allSatisfy { $0.parameter.source == nil })
    }

    private func bytes(_ tensor: Tensor, _ count: Int) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: tensor.pointer, count: count))
    }
}
