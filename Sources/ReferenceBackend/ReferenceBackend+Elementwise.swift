import Foundation
public import TensorCore

extension ReferenceBackend {
    /// c[i] = a[i] + b[i].
    public func add(_ a: Tensor, _ b: Tensor, into destination: Tensor) {
        for i in 0..<destination.count { destination.setElement(i, a.element(i) + b.element(i)) }
    }

    /// c[i] = factor · a[i].
    public func scale(_ source: Tensor, by factor: Float, into destination: Tensor, accumulate: Bool) {
        for i in 0..<destination.count {
            destination.setElement(i, Double(factor) * source.element(i), accumulate: accumulate)
        }
    }

    /// c[i] = a[i] b[i].
    public func multiply(_ a: Tensor, _ b: Tensor, into destination: Tensor, accumulate: Bool) {
        for i in 0..<destination.count {
            destination.setElement(i, a.element(i) * b.element(i), accumulate: accumulate)
        }
    }

    /// y[r, c] = x[r, c] v[c].
    public func scaleColumns(_ x: Matrix, by vector: Tensor, into destination: Matrix, accumulate: Bool) {
        for r in 0..<x.rows {
            for c in 0..<x.columns { destination.set(r, c, x[r, c] * vector.element(c), accumulate: accumulate) }
        }
    }

    /// s[c] = Σ_r a[r, c] b[r, c].
    public func sumRows(_ a: Matrix, _ b: Matrix?, into destination: Tensor, accumulate: Bool) {
        for c in 0..<a.columns {
            var sum = 0.0
            for r in 0..<a.rows { sum += a[r, c] * (b?[r, c] ?? 1) }
            destination.setElement(c, sum, accumulate: accumulate)
        }
    }

    /// y = φ(x).
    public func activation(_ function: Activation, _ x: Tensor, into destination: Tensor) {
        for i in 0..<x.count { destination.setElement(i, function.value(x.element(i))) }
    }

    /// dx = dy φ′(x).
    public func activationGradient(
        _ function: Activation, _ x: Tensor, gradient: Tensor, into destination: Tensor, accumulate: Bool,
        value: Tensor?
    ) {
        if let value { activation(function, x, into: value) }
        for i in 0..<x.count {
            destination.setElement(i, gradient.element(i) * function.slope(x.element(i)), accumulate: accumulate)
        }
    }

    /// y = φ(g) u with (g, u) the halves of a row (Shazeer 2020).
    public func gatedActivation(_ function: Activation, _ x: Matrix, into destination: Matrix) {
        let width = destination.columns
        for r in 0..<x.rows {
            for f in 0..<width { destination.set(r, f, function.value(x[r, f]) * x[r, width + f]) }
        }
    }

    /// y = φ(g) u:  dg = dy φ′(g) u,  du = dy φ(g).
    public func gatedActivationGradient(
        _ function: Activation, _ x: Matrix, gradient: Matrix, into destination: Matrix, accumulate: Bool,
        value: Matrix?
    ) {
        if let value { gatedActivation(function, x, into: value) }
        let width = gradient.columns
        for r in 0..<x.rows {
            for f in 0..<width {
                let (gate, up, dy) = (x[r, f], x[r, width + f], gradient[r, f])
                destination.set(r, f, dy * function.slope(gate) * up, accumulate: accumulate)
                destination.set(r, width + f, dy * function.value(gate), accumulate: accumulate)
            }
        }
    }

    /// Srivastava et al. 2014, "inverted": what stays is scaled up, so inference needs no factor.
    public func dropout(_ x: Tensor, rate: Float, seed: UInt64, into destination: Tensor, accumulate: Bool) {
        for i in 0..<x.count {
            let kept = Self.uniform(seed: seed, counter: UInt64(i)) >= rate
            destination.setElement(i, kept ? x.element(i) / (1 - Double(rate)) : 0, accumulate: accumulate)
        }
    }

    /// A number in [0, 1) from a seed and a counter: the (counter + 1)th output of SplitMix64 (Steele et al. 2014), its upper 24 bits.
    static func uniform(seed: UInt64, counter: UInt64) -> Float {
        var z = seed &+ (counter &+ 1) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        z ^= z >> 31
        return Float(z >> 40) * 0x1p-24
    }
}

extension Activation {
    /// φ(x).
    func value(_ x: Double) -> Double {
        switch self {
        case .gelu: 0.5 * x * erfc(-x / 2.0.squareRoot())
        case .geluTanh: 0.5 * x * (1 + Foundation.tanh(Self.inner(x)))
        case .quickGelu: x * logistic(1.702 * x)
        case .silu: x * logistic(x)
        case .relu: max(x, 0)
        case .tanh: Foundation.tanh(x)
        case .sigmoid: logistic(x)
        }
    }

    /// φ′(x); 0 for relu at 0, as PyTorch has it.
    fileprivate func slope(_ x: Double) -> Double {
        switch self {
        case .gelu:
            return 0.5 * erfc(-x / 2.0.squareRoot()) + x * exp(-x * x / 2) / (2 * Double.pi).squareRoot()
        case .geluTanh:
            let t = Foundation.tanh(Self.inner(x))
            let innerSlope = (2 / Double.pi).squareRoot() * (1 + 3 * 0.044715 * x * x)
            return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * innerSlope
        case .quickGelu:
            let s = logistic(1.702 * x)
            return s + 1.702 * x * s * (1 - s)
        case .silu:
            let s = logistic(x)
            return s + x * s * (1 - s)
        case .relu: return x > 0 ? 1 : 0
        case .tanh:
            let t = Foundation.tanh(x)
            return 1 - t * t
        case .sigmoid:
            let s = logistic(x)
            return s * (1 - s)
        }
    }

    private static func inner(_ x: Double) -> Double {
        (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)
    }
}

/// 1 / (1 + e^−x).
func logistic(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
