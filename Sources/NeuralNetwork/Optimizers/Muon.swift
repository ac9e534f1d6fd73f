public import TensorCore

/// Muon (Jordan et al. 2024): the momentum of a matrix, made orthogonal by a Newton–Schulz iteration; AdamW for all else.
///
/// Steps are scaled by 0.2 √max(rows, columns), so that rates and decays tuned for AdamW fit (Liu et al. 2025; `torch.optim.Muon`
/// with `adjust_lr_fn: match_rms_adamw`). Products are float32 here, bfloat16 there.
public final class Muon: Optimizer {
    /// Updates done.
    public var stepCount = 0 { didSet { others.stepCount = stepCount } }
    private let momentum: Float
    private let slots: [(slot: OptimizerSlot, moment: Tensor)]
    private let others: AdamW

    /// - Parameters:
    ///   - groups: the trainable parameters of each group.
    ///   - beta1: decay of AdamW's first moment.
    public init(
        _ groups: [ParameterTree], momentum: Double = 0.95, beta1: Double = 0.9, beta2: Double = 0.999,
        epsilon: Double = 1e-8
    ) {
        self.momentum = Float(momentum)
        slots = OptimizerSlot.all(groups).filter(\.isMatrix).map {
            ($0, $0.parameter.value.backend.zeros($0.parameter.shape))
        }
        let own = Set(slots.map { ObjectIdentifier($0.slot.parameter) })
        others = AdamW(
            groups.map { $0.filter { !own.contains(ObjectIdentifier($0.parameter)) } }, beta1: beta1, beta2: beta2,
            epsilon: epsilon)
    }

    /// What the next update depends on.
    public var state: [(name: String, tensor: Tensor)] {
        slots.map { ("\($0.slot.path).momentum", $0.moment) } + others.state
    }

    /// One update.
    public func step(_ rates: [GroupRate], gradientScale: Double) {
        others.step(rates, gradientScale: gradientScale)
        stepCount = others.stepCount
        for (slot, moment) in slots {
            guard let gradient = slot.parameter.gradient else { continue }
            let shape = slot.parameter.shape
            let (g, m) = (gradient.host, moment.host)
            let mixed = gradient.backend.empty(shape)
            let mix = mixed.host
            for i in 0..<shape.count {
                let own = g[i] * Float(gradientScale)
                m[i] += (own - m[i]) * (1 - momentum)
                mix[i] = own + (m[i] - own) * momentum  // Nesterov
            }
            let direction = Self.orthogonal(mixed)
            let size = Float(max(shape[0], shape[1])).squareRoot()
            let (rate, kept) = (slot.rate(rates) * 0.2 * size, 1 - slot.rate(rates) * slot.decay(rates))
            let (p, d) = (slot.parameter.value.host, direction.host)
            for i in 0..<shape.count { p[i] = p[i] * kept - rate * d[i] }
        }
    }

    /// Five steps of X ← a X + (b A + c A²) X with A = X Xᵀ, which bring all singular values near 1.
    static func orthogonal(_ matrix: Tensor) -> Tensor {
        let backend = matrix.backend
        let (rows, columns) = (matrix.shape[0], matrix.shape[1])
        let isTall = rows > columns
        let side = min(rows, columns)
        var x = backend.empty(matrix.shape)
        let norm = backend.sumOfSquares([matrix]).squareRoot()
        backend.scale(matrix, by: Float(1 / max(norm, 1e-7)), into: x, accumulate: false)
        let (a, b, c): (Float, Float, Float) = (3.4445, -4.775, 2.0315)
        let gram = backend.empty([side, side])
        let polynomial = backend.empty([side, side])
        func product(_ u: Tensor, _ tu: Bool, _ v: Tensor, _ tv: Bool, _ scale: Float, _ into: Tensor, _ add: Bool) {
            backend.product(
                u.matrix, transposeA: tu, v.matrix, transposeB: tv, alpha: scale, bias: nil, into: into.matrix,
                accumulate: add)
        }
        for _ in 0..<5 {
            // Of a tall matrix Xᵀ X: the small side.
            product(x, isTall, x, !isTall, 1, gram, false)
            backend.scale(gram, by: b, into: polynomial, accumulate: false)
            product(gram, false, gram, false, c, polynomial, true)
            let next = backend.empty(matrix.shape)
            backend.scale(x, by: a, into: next, accumulate: false)
            if isTall {
                product(x, false, polynomial, false, 1, next, true)
            } else {
                product(polynomial, false, x, false, 1, next, true)
            }
            x = next
        }
        return x
    }
}
