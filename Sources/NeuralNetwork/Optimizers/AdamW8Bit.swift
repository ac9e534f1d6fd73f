public import TensorCore

/// AdamW with moments in 8 bits, blocks of 256 with a scale each (Dettmers et al. 2022): 2 bytes a weight instead of 8.
///
/// Parameters of fewer than 4,096 weights keep float32 moments, as in bitsandbytes; they matter most and take least.
public final class AdamW8Bit: Optimizer {
    /// Updates done.
    public var stepCount = 0 { didSet { small.stepCount = stepCount } }
    private let beta1: Double
    private let beta2: Double
    private let epsilon: Double
    private let slots: [(slot: OptimizerSlot, first: BlockMoments, second: BlockMoments)]
    private let small: AdamW

    /// - Parameter groups: the trainable parameters of each group.
    public init(
        _ groups: [ParameterTree], beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
        minimum: Int = 4_096
    ) {
        (self.beta1, self.beta2, self.epsilon) = (beta1, beta2, epsilon)
        slots = OptimizerSlot.all(groups).filter { $0.parameter.count >= minimum }.map {
            let backend = $0.parameter.value.backend
            return (
                $0, BlockMoments($0.parameter.count, map: DynamicMap.signed, on: backend),
                BlockMoments($0.parameter.count, map: DynamicMap.unsigned, on: backend)
            )
        }
        small = AdamW(
            groups.map { $0.filter { $0.parameter.count < minimum } }, beta1: beta1, beta2: beta2, epsilon: epsilon)
    }

    /// What the next update depends on.
    public var state: [(name: String, tensor: Tensor)] {
        slots.flatMap { slot, first, second in
            [
                ("\(slot.path).firstMoment.codes", first.codes), ("\(slot.path).firstMoment.scales", first.scales),
                ("\(slot.path).secondMoment.codes", second.codes), ("\(slot.path).secondMoment.scales", second.scales),
            ]
        } + small.state
    }

    /// One update.
    public func step(_ rates: [GroupRate], gradientScale: Double) {
        small.step(rates, gradientScale: gradientScale)
        stepCount = small.stepCount
        let correction1 = 1 - Scalars.power(beta1, Double(stepCount))
        let correction2 = Float((1 - Scalars.power(beta2, Double(stepCount))).squareRoot())
        let (keep1, keep2, scale) = (Float(1 - beta1), Float(1 - beta2), Float(gradientScale))
        var m = [Float](repeating: 0, count: BlockMoments.length)
        var v = m
        for (slot, first, second) in slots {
            guard let gradient = slot.parameter.gradient else { continue }
            let (p, g) = (slot.parameter.value.host, gradient.host)
            let rate = slot.rate(rates)
            let length = Float(Double(rate) / correction1)
            let kept = 1 - rate * slot.decay(rates)
            for block in 0..<first.blocks {
                let range = first.range(block)
                first.read(block, into: &m)
                second.read(block, into: &v)
                for (i, place) in range.enumerated() {
                    let own = g[place] * scale
                    m[i] += (own - m[i]) * keep1
                    v[i] += (own * own - v[i]) * keep2
                    p[place] = p[place] * kept - length * m[i] / (v[i].squareRoot() / correction2 + Float(epsilon))
                }
                first.write(block, m)
                second.write(block, v)
            }
        }
    }
}

/// Numbers in 8 bits: codes of a map, and the largest magnitude of every block.
struct BlockMoments {
    /// Numbers that share a scale.
    static let length = 256
    /// Four codes an element.
    let codes: Tensor
    /// `[blocks]`.
    let scales: Tensor
    let blocks: Int
    private let count: Int
    private let map: [Float]

    init(_ count: Int, map: [Float], on backend: any Backend) {
        self.count = count
        self.map = map
        blocks = (count + Self.length - 1) / Self.length
        codes = backend.empty([(count + 3) / 4], .int32)
        scales = backend.zeros([blocks])
        let zero = DynamicMap.index(of: 0, in: map)
        codes.pointer.initializeMemory(as: UInt8.self, repeating: zero, count: (count + 3) / 4 * 4)
    }

    func range(_ block: Int) -> Range<Int> { block * Self.length..<min((block + 1) * Self.length, count) }

    func read(_ block: Int, into values: inout [Float]) {
        let bytes = codes.pointer.assumingMemoryBound(to: UInt8.self)
        let scale = scales.host[block]
        for (i, place) in range(block).enumerated() { values[i] = map[Int(bytes[place])] * scale }
    }

    func write(_ block: Int, _ values: [Float]) {
        let bytes = codes.pointer.assumingMemoryBound(to: UInt8.self)
        let range = range(block)
        let scale = values.prefix(range.count).reduce(0) { max($0, $1.magnitude) }
        scales.host[block] = scale
        for (i, place) in range.enumerated() {
            bytes[place] = DynamicMap.index(of: scale > 0 ? values[i] / scale : 0, in: map)
        }
    }
}
