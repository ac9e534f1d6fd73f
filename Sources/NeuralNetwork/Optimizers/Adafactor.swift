public import TensorCore

/// Adafactor (Shazeer & Stern 2018) as `torch.optim.Adafactor` computes it: of a matrix's second moments, row and column means are kept.
public final class Adafactor: Optimizer {
    /// Updates done.
    public var stepCount = 0
    private let slots: [FactoredMoments]

    /// - Parameter groups: the trainable parameters of each group.
    public init(_ groups: [ParameterTree]) {
        slots = OptimizerSlot.all(groups).map { FactoredMoments($0) }
    }

    /// What the next update depends on.
    public var state: [(name: String, tensor: Tensor)] { slots.flatMap(\.state) }

    /// One update.
    public func step(_ rates: [GroupRate], gradientScale: Double) {
        stepCount += 1
        for slot in slots {
            guard let gradient = slot.slot.parameter.gradient else { continue }
            slot.update(gradient, rates, gradientScale: gradientScale, step: stepCount)
        }
    }
}

/// Second moments of one parameter, factored where it is a matrix, and the update that they give.
struct FactoredMoments {
    let slot: OptimizerSlot
    /// Means over the columns, `[rows]`; of a vector all second moments.
    private let rows: Tensor
    /// Means over the rows, `[columns]`; nil for a vector.
    private let columns: Tensor?

    init(_ slot: OptimizerSlot) {
        self.slot = slot
        let (shape, backend) = (slot.parameter.shape, slot.parameter.value.backend)
        let isMatrix = shape.rank > 1
        rows = backend.zeros([isMatrix ? shape.rows : shape.count])
        columns = isMatrix ? backend.zeros([shape.columns]) : nil
    }

    var state: [(name: String, tensor: Tensor)] {
        [("\(slot.path).secondMoment.rows", rows)] + (columns.map { [("\(slot.path).secondMoment.columns", $0)] } ?? [])
    }

    /// One update. The step is relative to the parameter's own size and is cut where its root mean square exceeds 1.
    func update(_ gradient: Tensor, _ rates: [GroupRate], gradientScale: Double, step: Int) {
        let parameter = slot.parameter
        let (height, width) = columns == nil ? (1, parameter.count) : (parameter.shape.rows, parameter.shape.columns)
        let (p, g, r) = (parameter.value.host, gradient.host, rows.host)
        let scale = Float(gradientScale)
        let share = Float(Scalars.power(Double(step), -0.8))
        let rate = Double(slot.rate(rates))
        let count = Double(parameter.count)
        let epsilon: Float = 1.192_092_9e-7

        // Second moments.
        if let c = columns?.host {
            var columnSums = [Float](repeating: 0, count: width)
            for row in 0..<height {
                var sum: Float = 0
                for column in 0..<width {
                    let square = g[row * width + column] * scale * (g[row * width + column] * scale)
                    sum += square
                    columnSums[column] += square
                }
                r[row] += (sum / Float(width) - r[row]) * share
            }
            for column in 0..<width { c[column] += (columnSums[column] / Float(height) - c[column]) * share }
        } else {
            for i in 0..<width { r[i] += (g[i] * scale * (g[i] * scale) - r[i]) * share }
        }

        // The size of the parameter and of the update.
        var size = 0.0
        for i in 0..<parameter.count { size += Double(p[i]) * Double(p[i]) }
        size = (size / count).squareRoot()
        var mean: Float = 0
        for row in 0..<rows.count { mean += r[row] }
        mean = max(mean / Float(rows.count), epsilon)
        let least = epsilon * epsilon
        func direction(_ row: Int, _ column: Int) -> Float {
            let moment = columns.map { r[row] * $0.host[column] / mean } ?? r[column]
            return g[row * width + column] * scale / max(moment, least).squareRoot()
        }
        var sum = 0.0
        for row in 0..<height {
            for column in 0..<width {
                let value = Double(direction(row, column))
                sum += value * value
            }
        }
        let cut = max(1, (sum / count).squareRoot())
        let length = Float(max(1e-3, size) * min(rate, 1 / Double(step).squareRoot()) / cut)
        let kept = Float(1 - rate * Double(slot.decay(rates)))
        for row in 0..<height {
            for column in 0..<width {
                let i = row * width + column
                p[i] = p[i] * kept - length * direction(row, column)
            }
        }
    }
}
