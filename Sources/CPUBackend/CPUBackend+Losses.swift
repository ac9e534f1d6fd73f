import CKernels
public import TensorCore

extension CPUBackend {
    /// Two passes over a row that stays in the second-level cache.
    public func softmaxCrossEntropy(_ logits: Matrix, labels: Tensor, losses: Tensor, gradientScale: Float?) {
        guard var scale = gradientScale else {
            vitrail_softmax_cross_entropy(pool, logits.window, labels.intPointer, losses.floatPointer, nil)
            return
        }
        vitrail_softmax_cross_entropy(pool, logits.window, labels.intPointer, losses.floatPointer, &scale)
    }

    /// Two passes over a row that stays in the second-level cache.
    public func softmax(_ logits: Matrix) { vitrail_softmax(pool, logits.window) }

    /// In double: the matrix is small, and the terms are of very different size.
    public func pairwiseSigmoidLoss(
        _ similarities: Matrix, targets: Matrix, temperature: Float, bias: Float, losses: Tensor
    ) {
        vitrail_pairwise_sigmoid_loss(
            pool, similarities.window, targets.window, temperature, bias, losses.floatPointer)
    }
}
