import Foundation
public import TensorCore

extension ReferenceBackend {
    /// Σ x².
    public func sumOfSquares(_ tensors: [Tensor]) -> Double {
        tensors.reduce(0) { total, tensor in
            (0..<tensor.count).reduce(total) { $0 + tensor.element($1) * tensor.element($1) }
        }
    }

    /// Loshchilov & Hutter 2019, algorithm 2, with PyTorch's placing of ε:
    /// p ← p − η λ p;  m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;  p ← p − η (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε).
    public func adamW(_ slices: [AdamWSlice], settings: AdamWSettings) -> (any PendingUpdate)? {
        let (beta1, beta2) = (settings.beta1, settings.beta2)
        let correction1 = 1 - pow(beta1, Double(settings.step))
        let correction2 = 1 - pow(beta2, Double(settings.step))
        for slice in slices {
            let rate = Double(slice.learningRate)
            for i in 0..<slice.parameter.count {
                let g = slice.gradient.element(i) * Double(settings.gradientScale)
                let p = slice.parameter.element(i) * (1 - rate * Double(slice.weightDecay))
                let m = beta1 * slice.firstMoment.element(i) + (1 - beta1) * g
                let v = beta2 * slice.secondMoment.element(i) + (1 - beta2) * g * g
                let step = m / correction1 / ((v / correction2).squareRoot() + settings.epsilon)
                slice.parameter.setElement(i, p - rate * step)
                slice.firstMoment.setElement(i, m)
                slice.secondMoment.setElement(i, v)
            }
        }
        return nil
    }
}
