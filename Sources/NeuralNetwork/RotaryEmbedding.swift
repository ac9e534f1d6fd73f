import Synchronization
public import TensorCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// How the frequencies of rotary embeddings are stretched for longer contexts than those trained on.
public enum RotaryScaling: Hashable, Sendable {
    /// Unchanged.
    case standard
    /// Positions divided by the factor (Chen et al. 2023).
    case linear(factor: Double)
    /// The base grows once a sequence is longer than the trained length.
    case dynamic(factor: Double, originalPositions: Int)
    /// Llama 3: low frequencies divided by the factor, high ones kept, a ramp between.
    case llama3(factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalPositions: Int)
    /// YaRN (Peng et al. 2023).
    case yarn(
        factor: Double, betaFast: Double, betaSlow: Double, attentionFactor: Double?, originalPositions: Int,
        truncates: Bool)
}

/// Rotary position embedding (Su et al. 2021): a table of cosines and sines by position.
public final class RotaryEmbedding {
    /// Columns of one head.
    public let headWidth: Int
    /// Base of the frequencies.
    public let theta: Double
    /// Stretching.
    public let scaling: RotaryScaling
    private let backend: any Backend
    private var table: Tensor?
    /// Held while the table is read or replaced: threads that generate side by side share it.
    private let lock = Mutex(())

    /// - Parameter theta: the base, `rope_theta`.
    public init(headWidth: Int, theta: Double, scaling: RotaryScaling = .standard, backend: any Backend) {
        precondition(headWidth % 2 == 0, "rotary embedding: head width \(headWidth) is odd")
        self.headWidth = headWidth
        self.theta = theta
        self.scaling = scaling
        self.backend = backend
    }

    /// Turns the first `columns` columns of `x`; queries and keys of a fused product in one call.
    public func callAsFunction(_ x: inout Tensor, columns: Int, positions: RotaryPositions) {
        rotate(
            &x, columns: columns, headWidth: headWidth, positions: positions.tensor,
            table: table(covering: positions.count))
    }

    /// Cosines, then sines, of each of some positions, `[1, headWidth]`, further ones by `offset`.
    package func angles(of positions: RotaryPositions, offset: Int) -> [Tensor] {
        let table = table(covering: positions.count + offset)
        return positions.tensor.integers.map { table.rows(Int($0) + offset..<Int($0) + offset + 1) }
    }

    /// `[positions, headWidth]`, cosines then sines. Grows by doubling; with dynamic scaling it depends on the length itself.
    func table(covering count: Int) -> Tensor {
        var covering: Tensor?
        lock.withLock { _ in covering = self.grown(to: count) }
        return covering!
    }

    private func grown(to count: Int) -> Tensor {
        if let table, table.shape[0] >= count, !dependsOnLength(count) { return table }
        let rows = dependsOnLength(count) ? count : max(count, 2 * (table?.shape[0] ?? 256))
        let frequencies = Self.frequencies(headWidth: headWidth, theta: theta, scaling: scaling, length: rows)
        let half = headWidth / 2
        var values = [Float](repeating: 0, count: rows * headWidth)
        for position in 0..<rows {
            for i in 0..<half {
                // The peers compute angles in float32; a double here would differ from them at far positions.
                let angle = Double(Float(position) * Float(frequencies.inverse[i]))
                values[position * headWidth + i] = Float(cos(angle)) * Float(frequencies.magnitude)
                values[position * headWidth + half + i] = Float(sin(angle)) * Float(frequencies.magnitude)
            }
        }
        let fresh = Tensor(values, shape: [rows, headWidth], on: backend)
        table = fresh
        return fresh
    }

    private func dependsOnLength(_ count: Int) -> Bool {
        if case .dynamic(_, let originalPositions) = scaling { return count > originalPositions }
        return false
    }

    /// Inverse frequencies, and the factor on cosines and sines, as `transformers` computes them (`modeling_rope_utils.py`).
    package static func frequencies(
        headWidth: Int, theta: Double, scaling: RotaryScaling, length: Int
    ) -> (inverse: [Double], magnitude: Double) {
        let half = headWidth / 2
        func plain(_ base: Double) -> [Double] {
            (0..<half).map { 1 / pow(base, Double(2 * $0) / Double(headWidth)) }
        }
        switch scaling {
        case .standard:
            return (plain(theta), 1)
        case .linear(let factor):
            return (plain(theta).map { $0 / factor }, 1)
        case .dynamic(let factor, let original):
            guard length > original else { return (plain(theta), 1) }
            let ratio = factor * Double(length) / Double(original) - (factor - 1)
            return (plain(theta * pow(ratio, Double(headWidth) / Double(headWidth - 2))), 1)
        case .llama3(let factor, let low, let high, let original):
            return (
                plain(theta).map { inverse in
                    let wavelength = 2 * Double.pi / inverse
                    if wavelength < Double(original) / high { return inverse }
                    if wavelength > Double(original) / low { return inverse / factor }
                    let smooth = (Double(original) / wavelength - low) / (high - low)
                    return (1 - smooth) * inverse / factor + smooth * inverse
                }, 1
            )
        case .yarn(let factor, let betaFast, let betaSlow, let attentionFactor, let original, let truncates):
            func dimension(_ rotations: Double) -> Double {
                Double(headWidth) * log(Double(original) / (rotations * 2 * Double.pi)) / (2 * log(theta))
            }
            var low = dimension(betaFast)
            var high = dimension(betaSlow)
            if truncates { (low, high) = (low.rounded(.down), high.rounded(.up)) }
            low = max(low, 0)
            high = min(high, Double(headWidth - 1))
            if low == high { high += 0.001 }
            let base = plain(theta)
            let inverse = (0..<half).map { i in
                let ramp = min(max((Double(i) - low) / (high - low), 0), 1)
                return base[i] / factor * ramp + base[i] * (1 - ramp)
            }
            return (inverse, attentionFactor ?? (factor <= 1 ? 1 : 0.1 * log(factor) + 1))
        }
    }
}

/// The positions of a batch's tokens, on the back end, and how many the largest needs.
public struct RotaryPositions {
    /// `[tokens]`, int32.
    public let tensor: Tensor
    /// Largest position + 1.
    public let count: Int

    /// Positions from the host.
    public init(_ positions: [Int32], on backend: any Backend) {
        tensor = Tensor(positions, on: backend)
        count = Int(positions.max() ?? 0) + 1
    }
}
