import NeuralNetwork
import TensorCore
import TestSupport
import Testing

extension FixtureRun {
    /// softmax as attention over the unit vectors, and log-softmax as minus the cross entropy of every label.
    func softmax() throws {
        let x = try input("x")
        let (rows, width) = (x.shape.rows, x.shape.columns)
        var units = [Float](repeating: 0, count: width * 2 * width)
        for i in 0..<width {
            units[i * 2 * width + i] = 1
            units[i * 2 * width + width + i] = 1
        }
        let y = TensorCore.attention(
            query: x.reshaped([rows, width]), keyValue: Tensor(units, shape: [width, 2 * width], on: backend),
            heads: HeadLayout(queryHeads: 1, keyValueHeads: 1, width: width, scale: 1),
            segments: AttentionSegments(
                queryOffsets: [0, Int32(rows)], keyStarts: [0], keyCounts: [Int32(width)], isCausal: false))
        try output("y", y)

        // A second graph over the same parameter: the first one's nodes are used up.
        let flat = x.reshaped([rows, width])
        let upstream = try floats("gout.logy")
        var logarithms = [Float](repeating: 0, count: rows * width)
        var objective: Tensor?
        for r in 0..<rows {
            let row = gatherRows(flat, indices: Tensor([Int32(r)], on: backend))
            for c in 0..<width {
                let place = r * width + c
                logarithms[place] = -TensorCore.crossEntropy(logits: row.detached, labels: [Int32(c)]).scalar
                let term = TensorCore.crossEntropy(logits: row, labels: [Int32(c)], scale: -upstream[place])
                objective = objective.map { $0 + term } ?? term
            }
        }
        keep("logy", logarithms)
        objective?.backward()

        // The kernel itself, without a gradient.
        let probabilities = Tensor(flat.floats, shape: flat.shape, on: backend)
        backend.softmax(probabilities.matrix)
        expectClose(probabilities.floats, try floats("out.y"), fixture.tolerance("out.y"), "softmax kernel")
    }

    func crossEntropy() throws {
        let logits = try input("logits")
        let labels = try integers("in.labels")
        let mean = 1 / Float(labels.filter { $0 >= 0 }.count)
        try loss(
            logits, labels, scales: ["loss": mean, "loss_sum": 1].filter { has("out." + $0.key) })
    }

    func causalLoss() throws {
        let logits = try input("logits")
        let (labels, tokens) = (try integers("in.labels"), logits.shape[1])
        let next = labels.indices.map { ($0 + 1) % tokens == 0 ? -100 : labels[$0 + 1] }
        try loss(logits, next, scales: ["loss": 1 / Float(next.filter { $0 >= 0 }.count)])
    }

    /// Several multiples of one sum; the gradient is that of their sum, weighted by their upstream gradients.
    private func loss(_ logits: Tensor, _ labels: [Int32], scales: [String: Float]) throws {
        let rows = logits.reshaped([labels.count, logits.shape.columns])
        var total: Float = 0
        for (name, scale) in scales {
            keep(name, TensorCore.crossEntropy(logits: rows.detached, labels: labels, scale: scale).floats)
            total += try floats("gout." + name)[0] * scale
        }
        TensorCore.crossEntropy(logits: rows, labels: labels, scale: total).backward()
    }

    func contrastiveLoss() throws {
        let images = try input("images")
        let n = images.shape.rows
        let diagonal = (0..<n * n).map { $0 % (n + 1) == 0 ? Float(1) : -1 }
        try output(
            "loss",
            sigmoidContrastiveLoss(
                images: normalizedRows(images), texts: normalizedRows(input("texts")),
                targets: Tensor(diagonal, shape: [n, n], on: images.backend), logTemperature: input("log_temperature"),
                bias: input("bias")))
    }
}
