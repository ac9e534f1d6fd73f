import Foundation
public import TensorCore

extension ReferenceBackend {
    /// ℓ = log Σ exp(z) − z[label],  dℓ/dz = softmax(z) − onehot(label).
    public func softmaxCrossEntropy(_ logits: Matrix, labels: Tensor, losses: Tensor, gradientScale: Float?) {
        for r in 0..<logits.rows {
            let label = labels.index(r)
            let row = logits.row(r)
            let total = logarithmOfSum(row)
            losses.setElement(r, label < 0 ? 0 : total - row[label])
            guard let gradientScale else { continue }
            for c in row.indices {
                let slope = label < 0 ? 0 : exp(row[c] - total) - (c == label ? 1 : 0)
                logits.set(r, c, Double(gradientScale) * slope)
            }
        }
    }

    /// p[c] = exp(z[c] − log Σ exp(z)).
    public func softmax(_ logits: Matrix) {
        for r in 0..<logits.rows {
            let row = logits.row(r)
            let total = logarithmOfSum(row)
            for c in row.indices { logits.set(r, c, exp(row[c] - total)) }
        }
    }

    /// Zhai et al. 2023, eq. 1, with z = t s + b and y = ±1:  ℓ = −log σ(y z) / n,  dℓ/dz = −y σ(−y z) / n.
    public func pairwiseSigmoidLoss(
        _ similarities: Matrix, targets: Matrix, temperature: Float, bias: Float, losses: Tensor
    ) {
        let n = Double(similarities.rows)
        for r in 0..<similarities.rows {
            let row = similarities.row(r)
            let signs = targets.row(r)
            var loss = 0.0
            for c in row.indices {
                let y = signs[c]
                let z = Double(temperature) * row[c] + Double(bias)
                loss += (max(-y * z, 0) + log1p(exp(-abs(z)))) / n
                similarities.set(r, c, -y * logistic(-y * z) / n)
            }
            losses.setElement(r, loss)
        }
    }
}
