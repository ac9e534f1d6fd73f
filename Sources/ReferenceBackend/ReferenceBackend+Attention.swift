import Foundation
public import TensorCore

extension ReferenceBackend {
    /// Su et al. 2021, half-split:  (x₁, x₂) → (x₁ cos − x₂ sin, x₂ cos + x₁ sin); the inverse has −sin.
    public func rotate(_ x: Matrix, headWidth: Int, positions: Tensor, table: Tensor, inverse: Bool) {
        let half = headWidth / 2
        for r in 0..<x.rows {
            let angles = positions.index(r) * headWidth
            for head in stride(from: 0, to: x.columns, by: headWidth) {
                for i in 0..<half {
                    let cosine = table.element(angles + i)
                    let sine = table.element(angles + half + i) * (inverse ? -1 : 1)
                    let (first, second) = (x[r, head + i], x[r, head + half + i])
                    x.set(r, head + i, first * cosine - second * sine)
                    x.set(r, head + half + i, second * cosine + first * sine)
                }
            }
        }
    }

    /// Vaswani et al. 2017:  s = scale · q kᵀ,  p = softmax(s) over the visible keys,  y = p v. A query that sees no key gets zeros.
    public func attention(
        query: Matrix, key: Matrix, value: Matrix, heads: HeadLayout, segments: AttentionSegments,
        into destination: Matrix, logSumExp: Tensor?
    ) {
        segments.forEachQuery { row, visible in
            for head in 0..<heads.queryHeads {
                let scores = self.scores(query, row, key, visible, heads, head)
                let total = logarithmOfSum(scores)
                var mean = [Double](repeating: 0, count: heads.width)
                for (score, keyRow) in zip(scores, visible) {
                    let v = heads.part(value, keyRow, keyValueHead: heads.keyValueHead(of: head))
                    for i in mean.indices { mean[i] += exp(score - total) * v[i] }
                }
                for i in mean.indices { destination.set(row, head * heads.width + i, mean[i]) }
                logSumExp?.setElement(row * heads.queryHeads + head, total)
            }
        }
    }

    /// With D = dy · y:  ds = p (dy · v − D),  dq = scale Σ ds k,  dk = scale Σ ds q,  dv = Σ p dy.
    public func attentionGradient(
        query: Matrix, key: Matrix, value: Matrix, output: Matrix, logSumExp: Tensor, gradient: Matrix,
        heads: HeadLayout,
        segments: AttentionSegments, intoQuery: Matrix, key intoKey: Matrix, value intoValue: Matrix
    ) {
        var dq = Accumulator(intoQuery), dk = Accumulator(intoKey), dv = Accumulator(intoValue)
        segments.forEachQuery { row, visible in
            for head in 0..<heads.queryHeads {
                let shared = heads.keyValueHead(of: head)
                let q = heads.part(query, row, queryHead: head)
                let dy = heads.part(gradient, row, queryHead: head)
                let along = dot(dy, heads.part(output, row, queryHead: head))
                let total = logSumExp.element(row * heads.queryHeads + head)
                for (score, keyRow) in zip(scores(query, row, key, visible, heads, head), visible) {
                    let probability = exp(score - total)
                    let k = heads.part(key, keyRow, keyValueHead: shared)
                    let v = heads.part(value, keyRow, keyValueHead: shared)
                    let ds = probability * (dot(dy, v) - along) * Double(heads.scale)
                    dq.add(k, times: ds, row: row, column: head * heads.width)
                    dk.add(q, times: ds, row: keyRow, column: shared * heads.width)
                    dv.add(dy, times: probability, row: keyRow, column: shared * heads.width)
                }
            }
        }
        dq.store()
        dk.store()
        dv.store()
    }

    /// scale · q k for every visible key.
    private func scores(
        _ query: Matrix, _ row: Int, _ key: Matrix, _ visible: [Int], _ heads: HeadLayout, _ head: Int
    ) -> [Double] {
        let q = heads.part(query, row, queryHead: head)
        return visible.map { keyRow in
            Double(heads.scale) * dot(q, heads.part(key, keyRow, keyValueHead: heads.keyValueHead(of: head)))
        }
    }
}

/// log Σ exp(s), −∞ for no terms.
func logarithmOfSum(_ scores: [Double]) -> Double {
    guard let largest = scores.max() else { return -.infinity }
    return largest + log(scores.reduce(0) { $0 + exp($1 - largest) })
}

extension AttentionSegments {
    /// Every query row with the key rows that it sees.
    fileprivate func forEachQuery(_ body: (_ row: Int, _ visible: [Int]) -> Void) {
        for s in 0..<count {
            let queries = Int(queryOffsets[s])..<Int(queryOffsets[s + 1])
            let (keyStart, keyCount) = (Int(keyStarts[s]), Int(keyCounts[s]))
            let prefix = Int(prefixCounts?[s] ?? 0)
            let window = isCausal ? self.window ?? Int.max : Int.max
            for (i, row) in queries.enumerated() {
                let visible = (0..<keyCount).filter { j in
                    let own = i + keyCount - queries.count
                    return (!isCausal || j < prefix || j <= own) && (j > own || own - j < window)
                }
                body(row, visible.map { keyStart + $0 })
            }
        }
    }
}

extension HeadLayout {
    fileprivate func keyValueHead(of queryHead: Int) -> Int { queryHead / (queryHeads / keyValueHeads) }

    fileprivate func part(_ matrix: Matrix, _ row: Int, queryHead: Int) -> [Double] {
        (0..<width).map { matrix[row, queryHead * width + $0] }
    }

    fileprivate func part(_ matrix: Matrix, _ row: Int, keyValueHead: Int) -> [Double] {
        (0..<width).map { matrix[row, keyValueHead * width + $0] }
    }
}

/// A gradient that is summed in double and rounded once.
private struct Accumulator {
    let target: Matrix
    var sums: [Double]

    init(_ target: Matrix) {
        self.target = target
        sums = [Double](repeating: 0, count: target.rows * target.columns)
    }

    mutating func add(_ vector: [Double], times factor: Double, row: Int, column: Int) {
        for i in vector.indices { sums[row * target.columns + column + i] += factor * vector[i] }
    }

    func store() {
        for r in 0..<target.rows {
            for c in 0..<target.columns { target.set(r, c, sums[r * target.columns + c]) }
        }
    }
}
