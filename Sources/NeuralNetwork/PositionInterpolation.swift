public import TensorCore

/// Learned positions of one grid resampled for another, as PyTorch's `interpolate(mode="bicubic", align_corners=False)` does.
///
/// Resampling is a fixed linear map of the table's rows, so its gradient is that of a product.
public enum PositionInterpolation {
    /// How weights are taken.
    public enum Kernel: Sendable {
        /// Keys' cubic with a = −0.75 (−0.5 when antialiased, as PyTorch has it).
        case bicubic
        case bilinear
    }

    /// A table `[height · width, hidden]` resampled to `target.height · target.width` rows.
    public static func resample(
        _ table: Tensor, from source: (height: Int, width: Int), to target: (height: Int, width: Int),
        kernel: Kernel = .bicubic, antialias: Bool = false
    ) -> Tensor {
        guard source != target else { return table }
        let vertical = weights(from: source.height, to: target.height, kernel, antialias)
        let horizontal = weights(from: source.width, to: target.width, kernel, antialias)
        let columns = source.height * source.width
        var map = [Float](repeating: 0, count: target.height * target.width * columns)
        for y in 0..<target.height {
            for x in 0..<target.width {
                let row = (y * target.width + x) * columns
                for (sy, wy) in vertical[y] {
                    for (sx, wx) in horizontal[x] { map[row + sy * source.width + sx] += Float(wy * wx) }
                }
            }
        }
        let matrix = Tensor(map, shape: [target.height * target.width, columns], on: table.backend)
        return matrixProduct(matrix, table)
    }

    /// For each place of the target, source places and their weights.
    static func weights(
        from source: Int, to target: Int, _ kernel: Kernel, _ antialias: Bool
    ) -> [[(index: Int, weight: Double)]] {
        let scale = Double(source) / Double(target)
        let stretch = antialias ? max(scale, 1) : 1
        let support = (kernel == .bicubic ? 2.0 : 1.0) * stretch
        return (0..<target).map { place in
            let center = (Double(place) + 0.5) * scale
            guard antialias else {
                let position = center - 0.5
                let first = Int(position.rounded(.down)) - (kernel == .bicubic ? 1 : 0)
                let count = kernel == .bicubic ? 4 : 2
                let origin = kernel == .bilinear ? max(position, 0) : position
                let start = kernel == .bilinear ? Int(origin.rounded(.down)) : first
                return (0..<count).map { offset in
                    let index = start + offset
                    return (min(max(index, 0), source - 1), value(origin - Double(index), kernel, -0.75))
                }
            }
            let low = max(Int(center - support + 0.5), 0)
            let high = min(Int(center + support + 0.5), source)
            let raw = (low..<high).map { index in
                (index, value((Double(index) - center + 0.5) / stretch, kernel, -0.5))
            }
            let sum = raw.reduce(0) { $0 + $1.1 }
            return raw.map { ($0.0, $0.1 / sum) }
        }
    }

    private static func value(_ distance: Double, _ kernel: Kernel, _ a: Double) -> Double {
        let x = abs(distance)
        switch kernel {
        case .bilinear: return max(0, 1 - x)
        case .bicubic:
            if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
            if x < 2 { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
            return 0
        }
    }
}
