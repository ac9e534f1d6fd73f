public import TensorCore

extension ReferenceBackend {
    /// Ba, Kiros, Hinton 2016:  y = (x − μ) r w + b,  r = 1/√(σ² + ε), σ² the biased variance.
    public func layerNorm(
        _ x: Matrix, weight: Tensor, bias: Tensor, epsilon: Float, into destination: Matrix, statistics: Tensor
    ) {
        let width = Double(x.columns)
        for r in 0..<x.rows {
            let row = x.row(r)
            let mean = row.reduce(0, +) / width
            let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / width
            let inverse = 1 / (variance + Double(epsilon)).squareRoot()
            for c in row.indices {
                destination.set(r, c, (row[c] - mean) * inverse * weight.element(c) + bias.element(c))
            }
            statistics.setElement(2 * r, mean)
            statistics.setElement(2 * r + 1, inverse)
        }
    }

    /// With x̂ = (x − μ) r and g = dy w:  dx = r (g − mean(g) − x̂ mean(g x̂)),  dw = Σ dy x̂,  db = Σ dy.
    public func layerNormGradient(
        _ x: Matrix, weight: Tensor, statistics: Tensor, gradient: Matrix,
        into xGradient: (Matrix, accumulate: Bool)?, weightGradient: (Tensor, accumulate: Bool)?,
        biasGradient: (Tensor, accumulate: Bool)?, value: (into: Matrix, bias: Tensor, epsilon: Float)?
    ) {
        if let value {
            layerNorm(
                x, weight: weight, bias: value.bias, epsilon: value.epsilon, into: value.into, statistics: statistics)
        }
        let width = Double(x.columns)
        var weightSum = [Double](repeating: 0, count: x.columns)
        var biasSum = weightSum
        for r in 0..<x.rows {
            let (mean, inverse) = (statistics.element(2 * r), statistics.element(2 * r + 1))
            let normalized = x.row(r).map { ($0 - mean) * inverse }
            let dy = gradient.row(r)
            let g = dy.indices.map { dy[$0] * weight.element($0) }
            let meanOfG = g.reduce(0, +) / width
            let meanOfProduct = dot(g, normalized) / width
            for c in dy.indices {
                weightSum[c] += dy[c] * normalized[c]
                biasSum[c] += dy[c]
                if let (target, accumulate) = xGradient {
                    let dx = inverse * (g[c] - meanOfG - normalized[c] * meanOfProduct)
                    target.set(r, c, dx, accumulate: accumulate)
                }
            }
        }
        store(weightSum, into: weightGradient)
        store(biasSum, into: biasGradient)
    }

    /// Zhang & Sennrich 2019:  y = x r w,  r = 1/√(mean(x²) + ε).
    public func rmsNorm(_ x: Matrix, weight: Tensor, epsilon: Float, into destination: Matrix, statistics: Tensor) {
        for r in 0..<x.rows {
            let row = x.row(r)
            let inverse = 1 / (dot(row, row) / Double(x.columns) + Double(epsilon)).squareRoot()
            for c in row.indices { destination.set(r, c, row[c] * inverse * weight.element(c)) }
            statistics.setElement(r, inverse)
        }
    }

    /// With x̂ = x r and g = dy w:  dx = r (g − x̂ mean(g x̂)),  dw = Σ dy x̂.
    public func rmsNormGradient(
        _ x: Matrix, weight: Tensor, statistics: Tensor, gradient: Matrix, into xGradient: (Matrix, accumulate: Bool)?,
        weightGradient: (Tensor, accumulate: Bool)?, value: (into: Matrix, epsilon: Float)?
    ) {
        if let value { rmsNorm(x, weight: weight, epsilon: value.epsilon, into: value.into, statistics: statistics) }
        var weightSum = [Double](repeating: 0, count: x.columns)
        for r in 0..<x.rows {
            let inverse = statistics.element(r)
            let normalized = x.row(r).map { $0 * inverse }
            let dy = gradient.row(r)
            let g = dy.indices.map { dy[$0] * weight.element($0) }
            let meanOfProduct = dot(g, normalized) / Double(x.columns)
            for c in dy.indices {
                weightSum[c] += dy[c] * normalized[c]
                if let (target, accumulate) = xGradient {
                    target.set(r, c, inverse * (g[c] - normalized[c] * meanOfProduct), accumulate: accumulate)
                }
            }
        }
        store(weightSum, into: weightGradient)
    }

    /// y = x / max(‖x‖, ε).
    public func normalizeRows(_ x: Matrix, epsilon: Float, into destination: Matrix, norms: Tensor) {
        for r in 0..<x.rows {
            let row = x.row(r)
            let norm = dot(row, row).squareRoot()
            for c in row.indices { destination.set(r, c, row[c] / max(norm, Double(epsilon))) }
            norms.setElement(r, norm)
        }
    }

    /// ‖x‖ > ε:  dx = (dy − y (y · dy)) / ‖x‖;  otherwise the divisor is constant and dx = dy / ε.
    public func normalizeRowsGradient(
        normalized: Matrix, norms: Tensor, gradient: Matrix, epsilon: Float, into destination: Matrix, accumulate: Bool
    ) {
        for r in 0..<normalized.rows {
            let (y, dy, norm) = (normalized.row(r), gradient.row(r), norms.element(r))
            let along = norm > Double(epsilon) ? dot(y, dy) : 0
            for c in y.indices {
                let dx = (dy[c] - y[c] * along) / max(norm, Double(epsilon))
                destination.set(r, c, dx, accumulate: accumulate)
            }
        }
    }

    private func store(_ sums: [Double], into destination: (Tensor, accumulate: Bool)?) {
        guard let (target, accumulate) = destination else { return }
        for (index, sum) in sums.enumerated() { target.setElement(index, sum, accumulate: accumulate) }
    }
}
